"""Duplicates planted in a catalog: how many are found, how surely and how fast.

    python benchmarks/duplicates.py plant --music DATA/dev/music --pcm FOLDER --out PLANTED [--pairs 100] [--seed 1]
    python benchmarks/duplicates.py find CATALOG PLANTED --work FOLDER [--below DATA] [--tracks 10000] [--seed 1]
    python benchmarks/duplicates.py judge --work FOLDER [--agreement 1.5] [--support 60] [--shortest 10]
    python benchmarks/duplicates.py scale CATALOG [--times 6]

`plant` cuts pieces of 60 to 75 s from music, one of a file, or several at speeds so far apart that no two are alike,
and makes a copy of each: the same (exact), MP3 at 32 kbit/s mono (mp3), 3 to 12 s less at both ends (cut), 20 s of it
(excerpt), 3 % faster or slower (speed). `find` puts them among other tracks, which are pieces of a catalog's as they
are and transposed, asks each what it shares with the others, copies first, and keeps that in a folder, from where it
goes on when it was stopped. `judge` says what `earmark duplicates` tells of it by a rule of what is sure. `scale` looks
tracks up in an index that is as many times the catalog's. Times are of the processor.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import msgspec
import numpy as np
import soxr
from grow_catalog import transposed
from numpy.typing import NDArray

import earmark
from earmark.catalog.backend import Recording
from earmark.catalog.duplicates import SHORTEST_SECONDS, StoredSound, duplicates
from earmark.distort.codecs import transcode
from earmark.distort.timing import change_speed
from earmark.evaluation.music import recordings_in
from earmark.evaluation.recordings import Recordings
from earmark.fingerprints.neural import Neural
from earmark.index.channels import Channels
from earmark.match.calibration import Calibration
from earmark.match.matcher import Matcher
from earmark.match.protocol import Options
from earmark.match.shared import SURE, Range, SharedSound, SureRule
from earmark.types import Duplicate, Fingerprint, Samples, Spec, Track

KINDS = ("exact", "mp3", "cut", "excerpt", "speed")
RATE = 16_000  # Hz of the sound that copies are made of
BIT_RATE = 32_000  # bit/s of one channel: 64 kbit/s of stereo
SHORTEST, LONGEST = 60.0, 75.0  # seconds of a piece that is copied
SHORTEST_OTHER = 10.0  # seconds of a track that is none
EXCERPT_SECONDS = 20.0
CUT_SECONDS = (3.0, 12.0)
SPEEDS = (0.97, 1.03)
STEPS = tuple(step for number in range(8) for step in ((number, -number) if number else (0,)))
FACTORS = tuple(1.1**step for step in STEPS)  # factors of speed and pitch, of which none is within 9 % of another
PLANTED_FACTORS = tuple(1.1**step for step in (0, 2, -2, 4))  # copies of them differ by 14 % and more

CATALOG, RANGES = "catalog", "ranges.jsonl"  # what `find` keeps
AT_ONCE = 512  # tracks that are put into the catalog together

NOTHING = Calibration("", "", "", (), "nothing")


class Piece(msgspec.Struct, frozen=True):
    """A track of the test catalog: a piece of a file, at a speed."""

    id: str
    path: str  # file that it was cut from
    start: float  # second of the file
    factor: float  # by which it plays faster than the file
    seconds: float
    packed: bytes


@dataclass(frozen=True)
class Origin:
    """Where a track of the test catalog comes from."""

    id: str
    path: str
    start: float
    factor: float

    def is_copy_of(self, other: Origin) -> bool:
        """Return whether one is an original and the other its copy."""
        names = [one.id.rpartition("/") for one in (self, other)]
        return names[0][0] == names[1][0] and {names[0][2], names[1][2]} == {"original", "copy"}


def copied(kind: str, sound: Samples, number: int, random: np.random.Generator) -> Samples:
    """Return the copy of a piece."""
    if kind == "mp3":
        return transcode(sound, "mp3", rate=RATE, bit_rate=BIT_RATE)
    if kind == "cut":
        before, after = random.uniform(*CUT_SECONDS, 2)
        return sound[round(before * RATE) : len(sound) - round(after * RATE)]
    if kind == "excerpt":
        start = random.uniform(0, len(sound) / RATE - EXCERPT_SECONDS)
        return sound[round(start * RATE) :][: round(EXCERPT_SECONDS * RATE)]
    return change_speed(sound, SPEEDS[number % 2]) if kind == "speed" else sound


class WithoutVectors(Neural):
    """Keeps peaks alone: vectors take most of the time and are not asked."""

    def encode(self, segments: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
        """Return no vector of any segment: duplicates are found by landmarks and peaks, and the network takes long."""
        return np.zeros(len(segments), bool), np.zeros((0, 128), np.int8)


def plant(options: argparse.Namespace) -> None:
    """Write originals and copies; those that a file holds already are not made again."""
    maker, encoder = WithoutVectors(), msgspec.msgpack.Encoder()
    done = len(read(options.out)) // 2 if options.out.exists() else 0
    with Recordings(RATE, folder=options.pcm) as sounds, options.out.open("ab") as out:
        for place, (path, factor) in enumerate(islice(sources(options, sounds), options.pairs * len(KINDS))):
            if place < done:
                continue
            began, random = time.process_time(), np.random.default_rng((options.seed, place))
            kind, number = KINDS[place % len(KINDS)], place // len(KINDS)
            room = sounds.seconds(path)
            seconds = min(float(random.uniform(SHORTEST, LONGEST)), room / factor)
            start = float(random.uniform(0, room - seconds * factor))
            sound = change_speed(sounds.piece(path, start, seconds * factor), factor)
            for what, own in (("original", sound), ("copy", copied(kind, sound, number, random))):
                packed = maker.pack(maker.extract(soxr.resample(own, RATE, maker.rate)))
                piece = Piece(f"{kind}/{number:03d}/{what}", str(path), start, factor, len(own) / RATE, packed)
                content = encoder.encode(piece)
                out.write(len(content).to_bytes(4, "little") + content)
            out.flush()
            print(f"{kind}/{number:03d}  {time.process_time() - began:.2f} s", file=sys.stderr)


def sources(options: argparse.Namespace, sounds: Recordings) -> Iterator[tuple[Path, float]]:
    """Yield (file, factor of speed), at the first factor those of all files in a random order, then the next."""
    files = [path.resolve() for path in recordings_in(options.music).values()]
    order = np.random.default_rng(options.seed).permutation(len(files))
    for factor in PLANTED_FACTORS:
        for which in order.tolist():
            if sounds.seconds(files[which]) >= SHORTEST * factor:
                yield files[which], factor


def read(path: Path) -> list[Piece]:
    """Return the pieces that `plant` wrote, up to the last pair that is whole."""
    content, found, at = path.read_bytes(), list[Piece](), 0
    while at + 4 <= len(content):
        length = int.from_bytes(content[at : at + 4], "little")
        if at + 4 + length > len(content):
            break
        found.append(msgspec.msgpack.decode(content[at + 4 : at + 4 + length], type=Piece))
        at += 4 + length
    return found


def others(
    catalog: earmark.Catalog, maker: Neural, planted: Sequence[Piece], *, below: Path, seed: int
) -> Iterator[tuple[Origin, Fingerprint]]:
    """Yield a piece of each track of a catalog, as it is, then transposed factor by factor, but for what is planted."""
    taken = {(piece.path, round(piece.factor, 3)) for piece in planted}
    frame = maker.plan.channels[0].frame_seconds
    for factor in FACTORS:
        random = np.random.default_rng((seed, round(1000 * factor)))
        for track, whole in catalog.fingerprints():
            path = Path(track.path).resolve()
            length = min(float(random.uniform(SHORTEST, LONGEST)) * factor, whole.seconds)
            start = int(float(random.uniform(0, whole.seconds - length)) / frame) * frame
            is_free = path.is_relative_to(below) and (str(path), round(factor, 3)) not in taken
            if is_free and length / factor >= SHORTEST_OTHER:
                cut = whole.between(start, start + int(length / frame) * frame)
                cut = cut if factor == 1 else transposed(maker, cut, factor)
                yield Origin(f"other/{path.stem}/{factor:.3f}", str(path), start, factor), cut


def find(options: argparse.Namespace) -> None:
    """Ask each track of a catalog of planted pairs and others what it shares, and keep that, a line a track."""
    maker, kept, done = Neural(), options.work / RANGES, set[int]()
    make_catalog(options, maker)
    if kept.exists():
        done = {record["number"] for record in map(json.loads, kept.read_text().splitlines())}
    with earmark.open(options.work / CATALOG, create=False, read_only=True) as catalog, kept.open("a") as out:
        stored, every = StoredSound(catalog._store, catalog._index, maker), max(options.tracks // 100, 1)
        for number in in_order(catalog, seed=options.seed):
            if number in done:
                continue
            sound = stored._fingerprints([number])[number]
            began, ranges = time.process_time(), list[Range]()
            places = stored._shared.places(number, sound, stored._search)
            for track in dict.fromkeys(one.track for one in places):
                own = [one for one in places if one.track == track]
                ranges += stored._shared.ranges(sound, own, stored._search)
            record = {
                "number": number,
                "seconds": time.process_time() - began,
                "ranges": [asdict(one) for one in ranges],
            }
            if number % every == 0:
                record["question_seconds"] = time_of_a_question(catalog, sound)
            out.write(json.dumps(record) + "\n")
            out.flush()


def in_order(catalog: earmark.Catalog, *, seed: int) -> list[int]:
    """Return the numbers of all tracks, those of copies first, then the others at random: so many are a sample."""
    tracks = {one.number: one.track.id for one in catalog._store.recordings() if isinstance(one, Recording)}
    copies = [number for number, id in tracks.items() if id.endswith("/copy")]
    others = [number for number in tracks if number not in set(copies)]
    return [*copies, *np.random.default_rng(seed).permutation(others).tolist()]


def make_catalog(options: argparse.Namespace, maker: Neural) -> None:
    """Make the test catalog, unless it is there."""
    if (options.work / CATALOG).exists():
        return
    planted, began = read(options.planted), time.process_time()
    with (
        earmark.open(options.catalog, create=False, read_only=True) as base,
        earmark.open(options.work / "unfinished") as catalog,
    ):
        wanted = ((origin_of(one), maker.unpack_stored(one.packed)) for one in planted)
        rest = others(base, maker, planted, below=options.below.resolve(), seed=options.seed)
        tracks = islice(chain(wanted, rest), options.tracks)
        while part := list(islice(tracks, AT_ONCE)):
            put(catalog, maker, part)
        count = catalog._store.count()[0]
    (options.work / "unfinished").rename(options.work / CATALOG)
    print(f"{count} tracks, {time.process_time() - began:.0f} s to index", file=sys.stderr)


def put(catalog: earmark.Catalog, maker: Neural, tracks: Sequence[tuple[Origin, Fingerprint]]) -> None:
    """Add tracks by their fingerprints alone; their tags say where they come from."""
    new = []
    with catalog._store.transaction():
        for one, fingerprint in tracks:
            tags = {"path": one.path, "start": str(one.start), "factor": str(one.factor)}
            track = Track(one.id, one.id, "", "", one.id, fingerprint.seconds, tags=tags)
            content = hashlib.sha256(one.id.encode()).digest()
            new.append((catalog._store.insert(track, content, maker.pack(fingerprint)), fingerprint))
    catalog._index.include(new)


def time_of_a_question(catalog: earmark.Catalog, sound: Fingerprint) -> float:
    """Return the seconds that the catalog takes for the five in the middle of a sound, by what is stored of it."""
    began, session = time.process_time(), catalog._identify.session(Options())
    session.hear(sound.between(sound.seconds / 2, sound.seconds / 2 + 5))
    session.passages()
    return time.process_time() - began


class Kept(StoredSound):
    """What `find` kept, to be told by another rule of what is sure."""

    def __init__(self, folder: Path, rule: SureRule) -> None:
        self.records = {one["number"]: one for one in map(json.loads, (folder / RANGES).read_text().splitlines())}
        self._rule = rule
        with earmark.open(folder / CATALOG, create=False, read_only=True) as catalog:
            self.tracks = {one.number: one.track for one in catalog._store.recordings() if isinstance(one, Recording)}

    def __iter__(self) -> Iterator[tuple[int, Fingerprint]]:
        """Yield the numbers of the tracks that were asked, with a fingerprint of nothing."""
        nothing = Fingerprint(Spec("", 0, ""), 0.0, {})
        yield from ((number, nothing) for number in sorted(self.records))

    def ranges(
        self, number: int, sound: Fingerprint, *, known: Callable[[int], bool] | None = None, within: bool = False
    ) -> list[Range]:
        """Return what a track surely shares by the rule, longest first."""
        ranges = [Range(**one) for one in self.records[number]["ranges"]]
        kept = [one for one in ranges if self._rule.allows(one) and not (known is not None and known(one.track))]
        return sorted(kept, key=lambda one: -one.seconds)

    def track(self, number: int) -> Track:
        """Return a track by its number."""
        return self.tracks[number]


def judge(options: argparse.Namespace) -> None:
    """Say which planted pairs are told by a rule, what else is, and how long it took."""
    kept = Kept(options.work, SureRule(options.agreement, options.support))
    pairs = list(duplicates(kept, total=len(kept.records), shortest=options.shortest, progress=None))
    origins = {track.id: origin_of_track(track) for track in kept.tracks.values()}
    told = {frozenset((pair.first.id, pair.second.id)) for pair in pairs}
    asked = {kept.tracks[number].id for number in kept.records}
    for kind in KINDS:
        names = [id.removesuffix("/copy") for id in asked if id.startswith(kind) and id.endswith("/copy")]
        lost = sorted(name for name in names if frozenset((f"{name}/copy", f"{name}/original")) not in told)
        print(f"{kind:8} {len(names) - len(lost)} of {len(names)}  lost: {', '.join(lost[:12])}")
    unplanted = [pair for pair in pairs if not origins[pair.first.id].is_copy_of(origins[pair.second.id])]
    print(f"{len(pairs)} pairs told of {len(kept.records)} tracks asked, {len(unplanted)} of them not planted")
    for pair in unplanted:
        print("  " + described(pair, origins))
    each = [record["seconds"] for record in kept.records.values()]
    questions = [one["question_seconds"] for one in kept.records.values() if "question_seconds" in one]
    print(f"{1000 * np.mean(each):.1f} ms a track (median {1000 * np.median(each):.1f}); ", end="")
    print(f"{1000 * np.mean(questions):.1f} ms a question of five seconds (median {1000 * np.median(questions):.1f})")


def described(pair: Duplicate, origins: Mapping[str, Origin]) -> str:
    """Return where the longest range of a pair lies in the files that its tracks were cut from."""
    one, sides = pair.ranges[0], []
    for track, start in ((pair.first, one.first_start), (pair.second, one.second_start)):
        origin = origins[track.id]
        sides.append(f"{Path(origin.path).name} {origin.start + start * origin.factor:.1f} x{origin.factor:.3f}")
    length = one.first_end - one.first_start
    return f"{length:.1f} s, speed {one.speed:.3f}, {pair.relation}: {sides[0]} | {sides[1]}"


def origin_of(piece: Piece) -> Origin:
    return Origin(piece.id, piece.path, piece.start, piece.factor)


def origin_of_track(track: Track) -> Origin:
    return Origin(track.id, track.tags["path"], float(track.tags["start"]), float(track.tags["factor"]))


def scale(options: argparse.Namespace) -> None:
    """Print what it takes to look a track up among more and more: those of a catalog, then transposed ones."""
    maker = Neural()
    channel = next(one for one in maker.plan.channels if one.metric == "equal")
    index, number, hours = Channels("both", maker.plan.channels), 0, 0.0
    with earmark.open(options.catalog, create=False, read_only=True) as catalog:
        asked = [
            whole.between(0, min(whole.seconds, LONGEST)) for _, whole in islice(catalog.fingerprints(), 5, 600, 30)
        ]
        for factor in FACTORS[: options.times]:
            for _, whole in catalog.fingerprints():
                number, hours = number + 1, hours + whole.seconds / factor / 3600
                index.add(number, {channel.name: maker.keys_at_speed(whole, factor)[channel.name]})
            search, matcher = index.snapshot(), Matcher(maker.plan, NOTHING, keys=maker.keys, references=no_references)
            sounds, times = SharedSound(matcher, keys=maker.keys, keys_at_speed=maker.keys_at_speed), list[float]()
            for one in asked:
                began = time.process_time()
                sounds.places(-1, one, search)
                times.append(time.process_time() - began)
            each = 1000 * float(np.median(times))
            print(f"{hours:6.1f} h, {number} tracks: {each:.1f} ms to look a minute up", flush=True)


def no_references(tracks: Sequence[int]) -> dict[int, Fingerprint]:
    """Return nothing: no track is compared."""
    return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    planting = commands.add_parser("plant")
    planting.add_argument("--music", type=Path, required=True)
    planting.add_argument("--pcm", type=Path, required=True, help="folder that keeps what is decoded")
    planting.add_argument("--out", type=Path, required=True)
    planting.add_argument("--pairs", type=int, default=100, help="of each kind")
    planting.add_argument("--seed", type=int, default=1)
    planting.set_defaults(run=plant)
    finding = commands.add_parser("find")
    finding.add_argument("catalog", type=Path)
    finding.add_argument("planted", type=Path)
    finding.add_argument("--work", type=Path, required=True)
    finding.add_argument("--below", type=Path, default=Path("/"), help="folder of the music that others are cut from")
    finding.add_argument("--tracks", type=int, default=10_000)
    finding.add_argument("--seed", type=int, default=1)
    finding.set_defaults(run=find)
    judging = commands.add_parser("judge")
    judging.add_argument("--work", type=Path, required=True)
    judging.add_argument("--agreement", type=float, default=SURE.agreement)
    judging.add_argument("--support", type=float, default=SURE.support)
    judging.add_argument("--shortest", type=float, default=SHORTEST_SECONDS)
    judging.set_defaults(run=judge)
    scaling = commands.add_parser("scale")
    scaling.add_argument("catalog", type=Path)
    scaling.add_argument("--times", type=int, default=6)
    scaling.set_defaults(run=scale)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
