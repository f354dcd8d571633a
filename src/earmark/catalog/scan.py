"""Which files an `add` means: every regular file under the paths it was given, each once, in a fixed order."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from earmark.catalog.local.durable import is_catalog
from earmark.errors import OptionError

# Names beside music in folders that are passed over: covers, rip logs, checksums, desktop droppings. Whatever else a
# folder holds is tried, because names lie: a text file or a playlist is reported, not guessed away.
_COMPANIONS = """.jpg .jpeg .png .gif .webp .bmp .tif .tiff .heic .svg .ico .cue .log .nfo .pdf .sfv .md5 .sha256 .ffp
    .accurip .ini .db .url .lnk .torrent .part"""
COMPANIONS = frozenset(_COMPANIONS.split())


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found: files to try, and what cannot be tried with the reason."""

    files: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


def scan(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Scan:
    """Return the regular files that `paths` (files, or folders with all below them) stand for.

    Inside folders, links to files count and links to folders do not; a file that comes by twice counts once; hidden
    names, other catalogs and `COMPANIONS` are passed over. Playlists are not followed.
    """
    try:
        given = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    except TypeError as error:
        raise OptionError(f"{error}; give paths of files and folders") from error
    scanner = _Scanner()
    for path in given:
        scanner.look(os.fsdecode(path))
    return Scan(tuple(scanner.files), tuple(scanner.failed))


class _Scanner:
    def __init__(self) -> None:
        self.files: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self._seen: set[tuple[int, int]] = set()  # (device, inode)

    def look(self, path: str) -> None:
        """Note the file at `path`, or all files below the folder there."""
        waiting = [path]
        while waiting:
            path = waiting.pop()
            try:
                waiting.extend(reversed(self._look_at(path)))
            except (OSError, ValueError) as error:  # ValueError: a NUL in the name
                reason = error.strerror if isinstance(error, OSError) else str(error)
                self.failed.append((path, f"unreadable: {reason}{_hint(path)}"))

    def _look_at(self, path: str) -> list[str]:
        """Note a file, or return what is to be looked at in a folder."""
        status = Path(path).stat()
        key = (status.st_dev, status.st_ino)
        if key in self._seen:
            return []
        self._seen.add(key)
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                return [entry.path for entry in sorted(entries, key=lambda entry: entry.name) if self._is_meant(entry)]
        if stat.S_ISREG(status.st_mode):
            self.files.append(path)
        else:
            self.failed.append((path, "unsupported: not a regular file"))
        return []

    def _is_meant(self, entry: os.DirEntry[str]) -> bool:
        if entry.name.startswith(".") or Path(entry.name).suffix.lower() in COMPANIONS:
            return False
        if entry.is_symlink():
            return not Path(entry.path).is_dir()
        return not (entry.is_dir() and is_catalog(Path(entry.path)))


def _hint(path: str) -> str:
    return "; that is an address, and earmark reads files: download it first" if "://" in path else ""
