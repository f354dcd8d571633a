"""The Free Music Archive's data set (Defferrard et al., ISMIR 2017), in its published layout.

fma_metadata/tracks.csv has all 106,574 tracks in 52 columns (subset, split by artist and so on) under three rows of
headers; fma_small/000/000002.mp3 is a track's audio, fma_small/checksums has the SHA-1 of each file. `small` is part
of `medium`, `medium` of `large`, which has 30 s of every track; `full` has whole tracks.
"""

from __future__ import annotations

import ast
import csv
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.atomic import written_beside
from earmark.datasets.download import download
from earmark.datasets.manifest import Item, digest_of, duplicates
from earmark.datasets.probe import Prober
from earmark.errors import EarmarkError, MediaError, OptionError

SUBSETS = ("small", "medium", "large", "full")
ARCHIVES = "https://os.unil.cloud.switch.ch/fma/"  # README of the data set's repository, github.com/mdeff/fma
SHA1 = {  # checksums, from the same README
    "metadata": "f0df49ffe5f2a6008d7dc83c6915b31835dfe733",
    "small": "ade154f733639d52e35e32f5593efe5be76c6d70",
    "medium": "c67b69ea232021025fca9231fc1c7c1a063ab50b",
    "large": "497109f4dd721066b5ce5e5f250ec604dc78939e",
    "full": "0f0ace23fbe9ba30ecb7e95f763e435ea802b8ab",
}
# Tracks whose clips of 30 s are published silent or short, because their lengths were wrong (the repository's wiki,
# issues 8 and 44); 143992 is as short as its track.
_SILENT = [1486, 5574, 65753, 80391, 98558, 98559, 98560, 98571, 99134, 105247, 108925, 126981, 127336, 133297]
_SHORT = [98565, 98566, 98567, 98568, 98569, 108924, 143992]
BROKEN = frozenset([*_SILENT, *_SHORT])
CLIP_SECONDS = 30.0  # length of a clip
SHORT_SECONDS = 29.0  # length below which a clip is broken; cut on MP3 frames, whole ones have 29.98 to 30.0 s


@dataclass(frozen=True, slots=True)
class Entry:
    """The columns of a row of tracks.csv that earmark uses."""

    number: int
    title: str
    artist: str
    artist_number: int
    album: str
    genre: str  # the top one, '' where there are several
    genres: tuple[int, ...]
    licence: str
    seconds: float  # length of the whole track, wrong for some
    subset: str  # the smallest that holds it
    split: str  # training, validation or test


@dataclass(frozen=True, slots=True)
class Examination:
    """The state of a subset on disk."""

    recordings: tuple[Item, ...]  # usable ones; of duplicates, the first
    missing: tuple[Path, ...]
    broken: tuple[tuple[Path, str], ...]  # (path, reason)
    duplicates: tuple[tuple[Path, ...], ...]  # files with equal bytes

    def summary(self) -> str:
        """Return one line."""
        seconds = sum(one.seconds for one in self.recordings)
        copies = sum(len(group) - 1 for group in self.duplicates)
        return (
            f"{len(self.recordings):,} recordings, {seconds / 3600:.2f} h; {len(self.missing):,} missing, "
            f"{len(self.broken):,} broken, {copies:,} copies of others"
        )


def read_entries(path: Path) -> Iterator[Entry]:
    """Yield the rows of tracks.csv; raises OptionError when it is not that file."""
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # biographies are longer than csv's 131,072
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            groups, names, index = (next(rows, []) for _ in range(3))
            if index[:1] != ["track_id"]:
                raise OptionError(f"{path} has no row of headers with track_id; give fma_metadata/tracks.csv")
            columns = {pair: place for place, pair in enumerate(zip(groups, names, strict=False))}
            for row in rows:
                yield _entry(row, columns)
    except KeyError as error:
        raise OptionError(f"{path} has no column {'.'.join(error.args[0])}; give fma_metadata/tracks.csv") from error
    finally:
        csv.field_size_limit(limit)


def in_subset(entry: Entry, subset: str) -> bool:
    """Return whether a subset has a track; each has all of the smaller ones."""
    if subset not in SUBSETS:
        raise OptionError(f"subset={subset!r}; give one of {', '.join(SUBSETS)}")
    return SUBSETS.index(entry.subset) <= SUBSETS.index(subset)


def audio_path(root: Path, subset: str, number: int) -> Path:
    """Return the path of a track's audio."""
    name = f"{number:06d}"
    return root / f"fma_{subset}" / name[:3] / f"{name}.mp3"


def examine(root: Path, subset: str, *, progress: Callable[[Path], object] | None = None) -> Examination:
    """Decode every file of a subset below `root`, and return which can be used, and why others cannot.

    An item's group is its artist. Of duplicates the first counts.
    """
    sums = _checksums(root / f"fma_{subset}")
    good: list[Item] = []
    missing: list[Path] = []
    broken: list[tuple[Path, str]] = []
    with Prober() as prober:
        for entry in read_entries(root / "fma_metadata" / "tracks.csv"):
            if not in_subset(entry, subset):
                continue
            path = audio_path(root, subset, entry.number)
            if not path.is_file():
                missing.append(path)
            else:
                found = _examined(path, entry, subset, sums, prober)
                if isinstance(found, Item):
                    good.append(found)
                else:
                    broken.append((path, found))
            if progress is not None:
                progress(path)
    alike = tuple(duplicates(good))
    copies = {one.path for group in alike for one in group[1:]}
    usable = tuple(one for one in good if one.path not in copies)
    return Examination(
        usable, tuple(missing), tuple(broken), tuple(tuple(one.path for one in group) for group in alike)
    )


def fetch(
    root: Path,
    subset: str,
    *,
    archives: str = ARCHIVES,
    sha1: dict[str, str] | None = None,
    progress: Callable[[int, int | None], object] | None = None,
) -> None:
    """Download a subset and the metadata to `root` and unpack them, but for files that are there already.

    `archives` and `sha1` name a mirror and its checksums. Raises EarmarkError when an archive cannot be fetched.
    """
    if subset not in SUBSETS:
        raise OptionError(f"subset={subset!r}; give one of {', '.join(SUBSETS)}")
    for name in ("metadata", subset):
        archive = root / f"fma_{name}.zip"
        download(f"{archives}{archive.name}", archive, sha1=(sha1 or SHA1)[name], progress=progress)
        _unpack(archive, root)


def _entry(row: Sequence[str], columns: dict[tuple[str, str], int]) -> Entry:
    def cell(group: str, name: str) -> str:
        return row[columns[group, name]].strip()

    return Entry(
        number=int(row[0]),
        title=cell("track", "title"),
        artist=cell("artist", "name"),
        artist_number=int(float(cell("artist", "id") or -1)),
        album=cell("album", "title"),
        genre=cell("track", "genre_top"),
        genres=tuple(int(genre) for genre in ast.literal_eval(cell("track", "genres_all") or "[]")),
        licence=cell("track", "license"),
        seconds=float(cell("track", "duration") or 0),
        subset=cell("set", "subset"),
        split=cell("set", "split"),
    )


def _examined(path: Path, entry: Entry, subset: str, sums: dict[str, str], prober: Prober) -> Item | str:
    """Return a file's item, or why it cannot be used."""
    inside = path.relative_to(path.parents[1]).as_posix()
    if inside in sums and digest_of(path, "sha1") != sums[inside]:
        return "its SHA-1 is not that of the checksums file; fetch it again"
    try:
        found = prober(path)
    except MediaError as error:
        return str(error)
    whole = entry.seconds if subset == "full" else min(entry.seconds, CLIP_SECONDS)
    if subset != "full" and found.seconds < min(SHORT_SECONDS, whole):
        known = ", as published" if entry.number in BROKEN else ""
        return f"{found.seconds:.1f} s in place of {whole:.0f} s{known}"
    artist = f"artist {entry.artist_number}"
    return Item(f"fma/{entry.number:06d}", path, found.seconds, artist, entry.title, entry.artist, digest_of(path))


def _checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-1 of each file by its path in the folder; empty without a checksums file."""
    path = folder / "checksums"
    if not path.exists():
        return {}
    lines = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return {name.strip().lstrip("*"): digest.lower() for digest, name in lines}


def _unpack(archive: Path, root: Path) -> None:
    """Unpack the files that are not there yet, each under another name until it is complete."""
    try:
        with zipfile.ZipFile(archive) as members:
            for member in members.infolist():
                target = root / member.filename
                if not target.resolve().is_relative_to(root.resolve()):
                    raise EarmarkError(f"{archive} names {member.filename!r}, outside its folder; do not use it")
                if member.is_dir() or (target.exists() and target.stat().st_size == member.file_size):
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with written_beside(target) as part, members.open(member) as source, part.open("wb") as file:
                    while block := source.read(1 << 20):
                        file.write(block)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise EarmarkError(f"{archive} cannot be unpacked ({error}); use 7z, or delete it and run again") from error
