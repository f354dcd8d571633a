"""Duplicates planted in a catalog, and what recurs in episodes: how many are found, how surely and how fast.

    python benchmarks/duplicates.py plant CATALOG --music DATA/dev --pcm FOLDER --out PLANTED [--pairs 100] [--seed 1]
    python benchmarks/duplicates.py ask CATALOG --music DATA/dev --pcm FOLDER [--pairs 100] [--seed 1]
    python benchmarks/duplicates.py find CATALOG PLANTED [--tracks 10000] [--seed 1]
    python benchmarks/duplicates.py scale CATALOG [--times 6]
    python benchmarks/duplicates.py repeats --music DATA/train --speech SPEECH --pcm FOLDER [--episodes 10]

`plant` cuts pieces of 60 to 75 s from the stored fingerprints of a catalog, and makes a copy of each from its audio:
the same (exact), MP3 at 32 kbit/s mono (mp3), 3 to 12 s less at both ends (cut), 20 s of it (excerpt), 3 % faster or
slower (speed). `find` puts them among other tracks: the rest of the catalog in pieces, as they are and transposed by
so much that no two are alike. `ask` asks a catalog for such copies of its own tracks. `scale` looks tracks up in
an index that is as many times the catalog's. Times are of the processor.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import msgspec
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

import earmark
from earmark.catalog.duplicates import StoredSound
from earmark.distort.codecs import transcode
from earmark.distort.timing import change_speed
from earmark.evaluation.recordings import Recordings
from earmark.fingerprints.landmarks import at_speed
from earmark.fingerprints.neural import Neural
from earmark.index.channels import Channels
from earmark.match.calibration import Calibration
from earmark.match.matcher import Matcher
from earmark.match.protocol import Options
from earmark.match.shared import SharedSound
from earmark.types import Duplicate, Fingerprint, RepeatPlace, Samples, Track

KINDS = ("exact", "mp3", "cut", "excerpt", "speed")
RATE = 16_000  # Hz of the sound that copies are made of
BIT_RATE = 32_000  # bit/s of one channel: 64 kbit/s of stereo
SHORTEST, LONGEST = 60.0, 75.0  # seconds of a piece
EXCERPT_SECONDS = 20.0
CUT_SECONDS = (3.0, 12.0)
SPEEDS = (0.97, 1.03)
FACTORS = (1.0, *(1.1**step for number in range(1, 8) for step in (number, -number)))  # none within 4 % of another
ITEM_SECONDS = (25.0, 15.0, 3.0, 5.0, 8.0, 20.0, 30.0)  # opening and closing music, jingles, adverts

NOTHING = Calibration("", "", "", (), "nothing")


class Piece(msgspec.Struct, frozen=True):
    """A track of the test catalog."""

    id: str
    path: str  # file that it was cut from
    start: float  # second of the file
    seconds: float
    packed: bytes


@dataclass(frozen=True)
class Cut:
    """A piece of a track of a catalog."""

    path: str
    start: float
    fingerprint: Fingerprint


def pieces_of(catalog: earmark.Catalog, *, below: Path | None, frame: float, seed: int) -> Iterator[Cut]:
    """Yield pieces that do not overlap, of all tracks or those below a folder."""
    random = np.random.default_rng(seed)
    for track, whole in catalog.fingerprints():
        if below is not None and not Path(track.path).resolve().is_relative_to(below):
            continue
        start = 0.0
        while whole.seconds - start >= SHORTEST:
            seconds = int(min(float(random.uniform(SHORTEST, LONGEST)), whole.seconds - start) / frame) * frame
            yield Cut(track.path, start, whole.between(start, start + seconds))
            start += seconds


def copied(kind: str, sound: Samples, number: int, random: np.random.Generator) -> tuple[Samples, float]:
    """Return the copy of a piece, and the second of the piece at which it begins."""
    if kind == "mp3":
        return transcode(sound, "mp3", rate=RATE, bit_rate=BIT_RATE), 0.0
    if kind == "cut":
        before, after = random.uniform(*CUT_SECONDS, 2)
        return sound[round(before * RATE) : len(sound) - round(after * RATE)], before
    if kind == "excerpt":
        start = random.uniform(0, len(sound) / RATE - EXCERPT_SECONDS)
        return sound[round(start * RATE) :][: round(EXCERPT_SECONDS * RATE)], start
    return change_speed(sound, SPEEDS[number % 2]), 0.0


class WithoutVectors(Neural):
    """Keeps peaks alone: vectors take most of the time and are not asked."""

    def encode(self, segments: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
        """Return no vector of any segment: duplicates are found by landmarks and peaks, and the network takes long."""
        return np.zeros(len(segments), bool), np.zeros((0, 128), np.int8)


def plant(options: argparse.Namespace) -> None:
    """Write originals and copies."""
    random, encoder = np.random.default_rng(options.seed), msgspec.msgpack.Encoder()
    with (
        earmark.open(options.catalog, create=False, read_only=True) as catalog,
        Recordings(RATE, folder=options.pcm) as sounds,
        options.out.open("wb") as out,
    ):
        maker = WithoutVectors()
        frame = maker.plan.channels[0].frame_seconds
        cuts = list(pieces_of(catalog, below=options.music.resolve(), frame=frame, seed=options.seed))
        order = random.permutation(len(cuts))
        print(f"{len(cuts)} pieces of {options.music}", file=sys.stderr)
        for place, which in enumerate(order[: options.pairs * len(KINDS)].tolist()):
            began, cut, kind, number = time.process_time(), cuts[which], KINDS[place % len(KINDS)], place // len(KINDS)
            name, packed, start = f"{kind}/{number:03d}", maker.pack(cut.fingerprint), 0.0
            length, copy = cut.fingerprint.seconds, packed
            if kind != "exact":
                sound = sounds.piece(Path(cut.path), cut.start, length)
                changed, start = copied(kind, sound, number, random)
                length = len(changed) / RATE
                copy = maker.pack(maker.extract(soxr.resample(changed, RATE, maker.rate)))
            for piece in (
                Piece(f"{name}/original", cut.path, cut.start, cut.fingerprint.seconds, packed),
                Piece(f"{name}/copy", cut.path, cut.start + float(start), length, copy),
            ):
                content = encoder.encode(piece)
                out.write(len(content).to_bytes(4, "little") + content)
            out.flush()
            print(f"{name}  {time.process_time() - began:.2f} s", file=sys.stderr)


def ask(options: argparse.Namespace) -> None:
    """Ask a catalog for copies of pieces of its tracks, and print a line of JSON for each: what it surely shares."""
    random = np.random.default_rng(options.seed)
    maker = WithoutVectors()
    with (
        earmark.open(options.catalog, create=False, read_only=True) as catalog,
        Recordings(RATE, folder=options.pcm) as sounds,
    ):
        known = StoredSound(catalog._store, catalog._index, maker)
        folder = options.music.resolve()
        tracks = [one for one in catalog.tracks() if Path(one.path).resolve().is_relative_to(folder)]
        tracks = [one for one in tracks if one.seconds >= SHORTEST]
        for place in range(options.pairs * (len(KINDS) - 1)):
            track, kind = tracks[int(random.integers(len(tracks)))], KINDS[1 + place % (len(KINDS) - 1)]
            length = float(random.uniform(SHORTEST, min(LONGEST, track.seconds)))
            start = float(random.uniform(0, track.seconds - length))
            changed, later = copied(kind, sounds.piece(Path(track.path), start, length), place // 4, random)
            copy = maker.extract(soxr.resample(changed, RATE, maker.rate))
            began = time.process_time()
            places = known._shared.places(-1, copy, known._search)
            ranges = known._shared.ranges(copy, places, known._search)
            record = {
                "kind": kind,
                "path": track.path,
                "start": start + float(later),
                "seconds": len(changed) / RATE,
                "processor_seconds": time.process_time() - began,
                "ranges": [{**asdict(one), "sure": one.is_sure, "path": known.track(one.track).path} for one in ranges],
            }
            print(json.dumps(record), flush=True)


def read(path: Path) -> list[Piece]:
    """Return the pieces that `plant` wrote."""
    content, found, at = path.read_bytes(), list[Piece](), 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "little")
        found.append(msgspec.msgpack.decode(content[at + 4 : at + 4 + length], type=Piece))
        at += 4 + length
    return found


def others(
    catalog: earmark.Catalog, maker: Neural, planted: Sequence[Piece], *, frame: float, seed: int
) -> Iterator[tuple[str, Fingerprint]]:
    """Yield (id, fingerprint) of pieces that are not planted: as they are, then transposed factor by factor."""
    taken = {(piece.path, round(piece.start, 3)) for piece in planted if piece.id.endswith("/original")}
    for factor in FACTORS:
        for cut in pieces_of(catalog, below=None, frame=frame, seed=seed):
            if (cut.path, round(cut.start, 3)) not in taken:
                name = f"other/{Path(cut.path).stem}/{cut.start:.1f}/{factor:.3f}"
                yield name, cut.fingerprint if factor == 1 else transposed(maker, cut.fingerprint, factor)


def transposed(maker: Neural, fingerprint: Fingerprint, factor: float) -> Fingerprint:
    """Return a fingerprint of peaks as of another speed and pitch, on the same vectors, which are not asked."""
    assert maker.companion is not None  # the shipped network keeps peaks
    front_end = maker.companion.front_end
    layers = {name: at_speed(fingerprint.layers[name], factor, front_end) for name in ("peaks", "strongest")}
    return replace(fingerprint, seconds=float(fingerprint.seconds / factor), layers={**fingerprint.layers, **layers})


def find(options: argparse.Namespace) -> None:
    """Ask a catalog of planted pairs and others for its duplicates, and say what was found."""
    maker, planted = Neural(), read(options.planted)
    frame = maker.plan.channels[0].frame_seconds
    with tempfile.TemporaryDirectory() as folder, earmark.open(Path(folder) / "c") as catalog:
        began = time.process_time()
        wanted = [(one.id, maker.unpack_stored(one.packed)) for one in planted]
        with earmark.open(options.catalog, create=False, read_only=True) as base:
            rest = others(base, maker, planted, frame=frame, seed=options.seed)
            wanted += list(islice(rest, max(options.tracks - len(wanted), 0)))
        paths = {one.id: one for one in planted}
        for number in range(0, len(wanted), 256):
            put(catalog, maker, wanted[number : number + 256])
        print(f"{len(wanted)} tracks, {time.process_time() - began:.0f} s to index", file=sys.stderr)
        began = time.process_time()
        pairs = list(catalog.duplicates())
        each = (time.process_time() - began) / len(wanted)
        question = time_of_a_question(catalog, maker, [one for _, one in wanted[:: max(len(wanted) // 100, 1)]])
    told = {frozenset((pair.first.id, pair.second.id)) for pair in pairs}
    for kind in KINDS:
        truth = [
            one.id.removesuffix("/copy") for one in planted if one.id.startswith(kind) and one.id.endswith("/copy")
        ]
        found = [name for name in truth if frozenset((f"{name}/copy", f"{name}/original")) in told]
        print(f"{kind:8} {len(found)} of {len(truth)}  lost: {', '.join(sorted(set(truth) - set(found))[:8])}")
    unplanted = [pair for pair in pairs if not is_planted(pair)]
    print(f"{len(pairs)} pairs told, {len(unplanted)} of them not planted")
    for pair in unplanted:
        one = pair.ranges[0]
        files = [paths[id].path if id in paths else id for id in (pair.first.id, pair.second.id)]
        print(
            f"  {files[0]} {one.first_start:.1f}-{one.first_end:.1f} {files[1]} {one.second_start:.1f} {one.speed:.3f}"
        )
    print(f"{1000 * each:.1f} ms a track; {1000 * question:.1f} ms a question of five seconds")


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


def put(catalog: earmark.Catalog, maker: Neural, tracks: Sequence[tuple[str, Fingerprint]]) -> None:
    """Add tracks by their fingerprints alone."""
    new = []
    with catalog._store.transaction():
        for id, fingerprint in tracks:
            track = Track(id, id, "", "", id, fingerprint.seconds)
            new.append((catalog._store.insert(track, id.encode().ljust(32), maker.pack(fingerprint)), fingerprint))
    catalog._index.include(new)


def time_of_a_question(catalog: earmark.Catalog, maker: Neural, sounds: Sequence[Fingerprint]) -> float:
    """Return the seconds that the catalog takes for five seconds from the middle of each, by what is stored of it."""
    began = time.process_time()
    for sound in sounds:
        session = catalog._identify.session(Options())
        session.hear(sound.between(sound.seconds / 2, sound.seconds / 2 + 5))
        session.passages()
    return (time.process_time() - began) / len(sounds)


def is_planted(pair: Duplicate) -> bool:
    """Return whether a pair is an original and its copy."""
    names = [track.id.rpartition("/") for track in (pair.first, pair.second)]
    return names[0][0] == names[1][0] and {names[0][2], names[1][2]} == {"original", "copy"}


@dataclass(frozen=True)
class Recurring:
    """A place at which something that recurs was put into an episode."""

    item: int
    path: str
    start: float
    end: float


def repeats(options: argparse.Namespace) -> None:
    """Make episodes of speech with opening and closing music, jingles and adverts, and say what is told of them."""
    random = np.random.default_rng(options.seed)
    with Recordings(RATE, folder=options.pcm) as sounds, tempfile.TemporaryDirectory() as folder:
        music = sorted((options.music / "music").glob("*.ogg"))
        items = [
            sounds.piece(music[which], float(random.uniform(5, 20)), length)
            for which, length in zip(random.permutation(len(music)), ITEM_SECONDS, strict=False)
        ]
        speech = sorted(options.speech.glob("*.wav"))
        truth = list[Recurring]()
        for number in range(options.episodes):
            truth += episode(Path(folder) / f"{number:02d}.wav", items, speech, sounds, options.minutes, random)
        began = time.process_time()
        report = earmark.repeats(sorted(Path(folder).glob("*.wav")))
        print(f"{time.process_time() - began:.0f} s of this process for {options.episodes} of {options.minutes:g} min")
    told = [place for item in report.items for place in item.places]
    errors, missed = list[float](), 0
    for one in truth:
        same = [place for place in told if place.track.path == one.path and meets(place, one)]
        if not same:
            missed += 1
            print(f"lost: item {one.item} of {one.end - one.start:.1f} s, {one.path} at {one.start:.1f}")
            continue
        best = min(same, key=lambda place: abs(place.start - one.start) + abs(place.end - one.end))
        errors.append(max(abs(best.start - one.start), abs(best.end - one.end)))
    within = sum(error <= 0.5 for error in errors)
    false = [place for place in told if not any(place.track.path == one.path and meets(place, one) for one in truth)]
    print(f"{len(truth)} places, {missed} lost, {within} with both borders within 0.5 s, largest {max(errors):.2f} s")
    print(f"{len(report.items)} items told of {len(items)}, {len(false)} places of what was not put there")
    for place in false[:20]:
        print(f"  {place.track.path} {place.start:.1f} to {place.end:.1f}")


def meets(place: RepeatPlace, one: Recurring) -> bool:
    """Return whether a place that was told is of a true one for the most part."""
    common = min(place.end, one.end) - max(place.start, one.start)
    return common > (one.end - one.start) / 2


def episode(
    path: Path,
    items: Sequence[Samples],
    speech: Sequence[Path],
    sounds: Recordings,
    minutes: float,
    random: np.random.Generator,
) -> Iterator[Recurring]:
    """Write an episode, and yield what recurs in it: the first item opens it, the second closes it."""
    parts, at, left = list[Samples](), 0.0, minutes * 60
    between = [int(one) for one in random.permutation(np.repeat(np.arange(2, len(items)), 2))][
        : max(int(minutes / 3), 6)
    ]
    order = [0, *between, 1]
    pause = (left - sum(len(items[which]) for which in order) / RATE) / (len(order) - 1)
    for place, which in enumerate(order):
        item = items[which]
        parts.append(item)
        yield Recurring(which, str(path), at, at + len(item) / RATE)
        at += len(item) / RATE
        if place + 1 < len(order):
            voice = speech[int(random.integers(len(speech)))]
            length = float(random.uniform(0.8, 1.2)) * pause
            start = float(random.uniform(0, max(sounds.seconds(voice) - length, 0)))
            parts.append(sounds.piece(voice, start, length))
            at += length
    soundfile.write(path, np.concatenate(parts), RATE, subtype="PCM_16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    planting = commands.add_parser("plant")
    planting.add_argument("catalog", type=Path)
    planting.add_argument("--music", type=Path, required=True)
    planting.add_argument("--pcm", type=Path, required=True)
    planting.add_argument("--out", type=Path, required=True)
    planting.add_argument("--pairs", type=int, default=100)
    planting.add_argument("--seed", type=int, default=1)
    planting.set_defaults(run=plant)
    asking = commands.add_parser("ask")
    asking.add_argument("catalog", type=Path)
    asking.add_argument("--music", type=Path, required=True)
    asking.add_argument("--pcm", type=Path, required=True)
    asking.add_argument("--pairs", type=int, default=100)
    asking.add_argument("--seed", type=int, default=1)
    asking.set_defaults(run=ask)
    scaling = commands.add_parser("scale")
    scaling.add_argument("catalog", type=Path)
    scaling.add_argument("--times", type=int, default=6)
    scaling.set_defaults(run=scale)
    finding = commands.add_parser("find")
    finding.add_argument("catalog", type=Path)
    finding.add_argument("planted", type=Path)
    finding.add_argument("--tracks", type=int, default=10_000)
    finding.add_argument("--seed", type=int, default=1)
    finding.set_defaults(run=find)
    episodes = commands.add_parser("repeats")
    episodes.add_argument("--music", type=Path, required=True)
    episodes.add_argument("--speech", type=Path, required=True)
    episodes.add_argument("--pcm", type=Path, required=True)
    episodes.add_argument("--episodes", type=int, default=10)
    episodes.add_argument("--minutes", type=float, default=40)
    episodes.add_argument("--seed", type=int, default=1)
    episodes.set_defaults(run=repeats)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
