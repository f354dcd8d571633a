"""What happened to the files of a collection, told by folder where a whole folder is concerned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from earmark.apps.text import amount, shown_path
from earmark.types import Track

DISKS = {"/media": 2, "/run/media": 2, "/mnt": 1, "/Volumes": 1}  # levels from such a folder to a disk that is mounted


def moves(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return lines about files that were moved, given paths before and now: one for all of a folder."""
    folders: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for before, now in pairs:
        folders[_changed_folders(before, now)].append((before, now))
    lines = []
    for (before, now), files in folders.items():
        if before and len(files) > 1:
            lines.append(f"moved: {amount(len(files), 'file')} from {shown_path(before)} to {shown_path(now)}")
        else:
            lines += [f"moved: {shown_path(old)} is now {shown_path(new)}" for old, new in files]
    return lines


def departures(tracks: Sequence[Track], *, each: bool = False) -> list[str]:
    """Return lines about tracks whose files are gone: one for all of a folder that is gone, or one for `each`."""
    folders: dict[str, list[Track]] = defaultdict(list)
    for track in tracks:
        folders["" if each else _topmost_absent(track.path)].append(track)
    lines = []
    for folder, inside in folders.items():
        if folder and len(inside) > 1:
            lines.append(f"gone: {shown_path(folder)}, with {amount(len(inside), 'track')}")
        else:
            lines += [departure(track) for track in inside]
    return lines


def departure(track: Track) -> str:
    """Return a line about a track without a file."""
    return f"gone: {shown_path(track.path)}{f' ({track.title})' if track.title else ''}"


def absent_disk(tracks: Iterable[Track]) -> str:
    """Return where a disk was on which the file of a track was, if it seems not to be mounted; else ''."""
    for folder in {PurePath(track.path).parent for track in tracks}:
        for place, count in DISKS.items():
            if PurePath(place) in folder.parents:
                below = folder.relative_to(place).parts[:count]
                levels = [Path(place, *below[: level + 1]) for level in range(len(below))]
                absent = next((level for level in levels if _is_absent(level)), None)
                if absent is not None:
                    return str(absent)
    return ""


def _is_absent(folder: Path) -> bool:
    """Return whether a folder is not there, or holds nothing; one that may not be read is there."""
    try:
        return not folder.is_dir() or not any(folder.iterdir())
    except OSError:
        return False


def _changed_folders(before: str, now: str) -> tuple[str, str]:
    """Return two paths without the end that they share, where they share a file's name; else two empty ones."""
    old, new = PurePath(before).parts, PurePath(now).parts
    same = 0
    while same < min(len(old), len(new)) - 1 and old[-1 - same] == new[-1 - same]:
        same += 1
    return (str(PurePath(*old[:-same])), str(PurePath(*new[:-same]))) if same else ("", "")


def _topmost_absent(path: str) -> str:
    """Return the first folder on the way to a file that is not there; '' where all are."""
    absent = [parent for parent in PurePath(path).parents if not Path(parent).is_dir()]
    return str(absent[-1]) if absent else ""
