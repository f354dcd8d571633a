"""Any folder of one's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from earmark.datasets.manifest import Item, digest_of
from earmark.datasets.probe import Prober
from earmark.errors import MediaError, OptionError

_MUSIC = [".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".m4b", ".aac", ".wav", ".aif", ".aiff", ".wma", ".caf"]
_VIDEO = [".mp4", ".mka", ".mkv", ".webm", ".mov"]
AUDIO = frozenset([*_MUSIC, *_VIDEO])


@dataclass(frozen=True, slots=True)
class Listing:
    """The recordings of a folder, and the files that are none."""

    recordings: tuple[Item, ...]
    failed: tuple[tuple[Path, str], ...]  # (path, reason)


def audio_files(root: Path) -> Iterator[Path]:
    """Yield the regular files below a folder whose name ends as audio does, in order of their names.

    Hidden files and folders are passed over, and links to folders are not followed. Raises OptionError when `root` is
    no folder.
    """
    if not root.is_dir():
        raise OptionError(f"{root} is no folder; give one with audio files")
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix.lower() in AUDIO and not name.startswith(".") and path.is_file():
                yield path


def read_folder(root: Path, *, progress: Callable[[Path], object] | None = None) -> Listing:
    """Return what is in a folder, by decoding all of it; the group of a recording is the folder it lies in.

    `progress` is called with each path when it is done.
    """
    recordings, failed = [], []
    with Prober() as prober:
        for path in audio_files(root):
            try:
                found = prober(path)
            except MediaError as error:
                failed.append((path, str(error)))
            else:
                inside = path.relative_to(root)
                named = found.title or path.stem
                recordings.append(
                    Item(str(inside), path, found.seconds, str(inside.parent), named, found.artist, digest_of(path))
                )
            if progress is not None:
                progress(path)
    return Listing(tuple(recordings), tuple(failed))
