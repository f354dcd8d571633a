"""Any folder of audio files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from earmark.errors import OptionError

_MUSIC = [".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".m4b", ".aac", ".wav", ".aif", ".aiff", ".wma", ".caf"]
_VIDEO = [".mp4", ".mka", ".mkv", ".webm", ".mov"]
AUDIO = frozenset([*_MUSIC, *_VIDEO])


def audio_files(root: Path) -> Iterator[Path]:
    """Yield the regular files below a folder that have an extension of audio, in order of their names.

    Hidden files and folders are skipped, and links to folders are not followed. Raises OptionError when `root` is no
    folder.
    """
    if not root.is_dir():
        raise OptionError(f"{root} is no folder; give one with audio files")
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix.lower() in AUDIO and not name.startswith(".") and path.is_file():
                yield path
