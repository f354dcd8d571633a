"""The Free Music Archive's data set (Defferrard et al., ISMIR 2017), in the layout it is published in.

    fma_metadata/tracks.csv          all 106,574 tracks: three rows of headers, 52 columns
    fma_small/000/000002.mp3         audio: the first three digits of the track's number, then all six
    fma_small/checksums              SHA-1 of each file

`small` lies within `medium`, `medium` within `large`; `large` holds 30 s of every track, `full` all of it. Which tracks
are in a subset, and on which side of a split, is in tracks.csv; splits are by artist.
"""

from __future__ import annotations

import ast
import csv
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.datasets.download import download
from earmark.datasets.manifest import Item, digest_of, duplicates
from earmark.datasets.probe import Prober
from earmark.errors import EarmarkError, MediaError, OptionError

SUBSETS = ("small", "medium", "large", "full")
ARCHIVES = "https://os.unil.cloud.switch.ch/fma/"  # README of the data set's repository, github.com/mdeff/fma
SHA1 = {  # the same place
    "metadata": "f0df49ffe5f2a6008d7dc83c6915b31835dfe733",
    "small": "ade154f733639d52e35e32f5593efe5be76c6d70",
    "medium": "c67b69ea232021025fca9231fc1c7c1a063ab50b",
    "large": "497109f4dd721066b5ce5e5f250ec604dc78939e",
    "full": "0f0ace23fbe9ba30ecb7e95f763e435ea802b8ab",
}
# Clips of 30 s that are published empty or short, as their tracks' lengths were wrong: the repository's wiki, and its
# issues 8 and 44. 143992 is as short as its track.
_SILENT = [1486, 5574, 65753, 80391, 98558, 98559, 98560, 98571, 99134, 105247, 108925, 126981, 127336, 133297]
_SHORT = [98565, 98566, 98567, 98568, 98569, 108924, 143992]
BROKEN = frozenset([*_SILENT, *_SHORT])
CLIP_SECONDS = 30.0
SHORT_SECONDS = 29.0  # cut on MP3 frames, whole clips last 29.98 to 30.0 s


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of tracks.csv: what earmark needs of it."""

    number: int
    title: str
    artist: str
    artist_number: int
    album: str
    genre: str  # the top one, '' where there are several
    genres: tuple[int, ...]
    licence: str
    seconds: float  # as the archive has it: of the whole track, and wrong for some
    subset: str  # the smallest that holds it
    split: str  # training, validation or test


@dataclass(frozen=True, slots=True)
class Examination:
    """What is there of a subset."""

    recordings: tuple[Item, ...]  # that can be used; of duplicates, the first
    missing: tuple[Path, ...]
    broken: tuple[tuple[Path, str], ...]  # (path, what is wrong with it)
    duplicates: tuple[tuple[Path, ...], ...]  # the same to the last bit

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
    """Whether a subset holds a track: each holds all of the smaller ones."""
    if subset not in SUBSETS:
        raise OptionError(f"subset={subset!r}; give one of {', '.join(SUBSETS)}")
    return SUBSETS.index(entry.subset) <= SUBSETS.index(subset)


def audio_path(root: Path, subset: str, number: int) -> Path:
    """Return where a track's audio lies."""
    name = f"{number:06d}"
    return root / f"fma_{subset}" / name[:3] / f"{name}.mp3"


def examine(root: Path, subset: str, *, progress: Callable[[Path], object] | None = None) -> Examination:
    """Look at every file of a subset below `root`, decode it, and say what can be used, what not, and why.

    A recording's group is its artist. Of files that are the same to the last bit the first counts.
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
    """Download a subset and the metadata to `root`, and unpack them; what is there already is left as it is.

    `archives` and `sha1` name a mirror and its checksums. Raises EarmarkError when an archive cannot be had.
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
    """Return a file's recording, or what is wrong with it."""
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
    """Return the SHA-1 of each file by its path in the folder; empty when the archive's list is not there."""
    path = folder / "checksums"
    if not path.exists():
        return {}
    lines = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return {name.strip().lstrip("*"): digest.lower() for digest, name in lines}


def _unpack(archive: Path, root: Path) -> None:
    """Unpack what is not there yet, each file under another name until it is whole."""
    try:
        with zipfile.ZipFile(archive) as members:
            for member in members.infolist():
                target = root / member.filename
                if not target.resolve().is_relative_to(root.resolve()):
                    raise EarmarkError(f"{archive} names {member.filename!r}, outside its folder; do not use it")
                if member.is_dir() or (target.exists() and target.stat().st_size == member.file_size):
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(f"{target.name}.part")
                with members.open(member) as source, part.open("wb") as file:
                    while block := source.read(1 << 20):
                        file.write(block)
                part.replace(target)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise EarmarkError(f"{archive} cannot be unpacked ({error}); use 7z, or delete it and run again") from error
