"""Duplicates planted in a catalog, and what recurs in episodes: how many are found, how surely and how fast.

    python benchmarks/duplicates.py plant CATALOG --music DATA/dev --pcm FOLDER --out PLANTED [--pairs 100] [--seed 1]
    python benchmarks/duplicates.py find CATALOG PLANTED [--tracks 10000] [--seed 1]
    python benchmarks/duplicates.py repeats --music DATA/train --speech SPEECH [--episodes 10] [--minutes 40]

`plant` cuts pieces of 60 to 75 s from the stored fingerprints of a catalog, and makes a copy of each from its audio:
the same (exact), MP3 at 32 kbit/s mono (mp3), 3 to 12 s less at both ends (cut), 20 s of it (excerpt), 3 % faster or
slower (speed). `find` puts them among other tracks: the rest of the catalog in pieces, as they are and transposed by
so much that no two are alike. Times are of the processor.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import msgspec
import numpy as np
import soxr

import earmark
from earmark.distort.codecs import transcode
from earmark.distort.timing import change_speed
from earmark.evaluation.recordings import Recordings
from earmark.extract.fingerprinter import make_fingerprinter
from earmark.types import Fingerprint, Samples

KINDS = ("exact", "mp3", "cut", "excerpt", "speed")
RATE = 16_000  # Hz of the sound that copies are made of
BIT_RATE = 32_000  # bit/s of one channel: 64 kbit/s of stereo
SHORTEST, LONGEST = 60.0, 75.0  # seconds of a piece
EXCERPT_SECONDS = 20.0
CUT_SECONDS = (3.0, 12.0)
SPEEDS = (0.97, 1.03)


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


def plant(options: argparse.Namespace) -> None:
    """Write originals and copies."""
    random, encoder = np.random.default_rng(options.seed), msgspec.msgpack.Encoder()
    with (
        earmark.open(options.catalog, create=False, read_only=True) as catalog,
        Recordings(RATE, folder=options.pcm) as sounds,
        options.out.open("wb") as out,
    ):
        maker = make_fingerprinter("neural", {})
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


def read(path: Path) -> list[Piece]:
    """Return the pieces that `plant` wrote."""
    content, found, at = path.read_bytes(), list[Piece](), 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "little")
        found.append(msgspec.msgpack.decode(content[at + 4 : at + 4 + length], type=Piece))
        at += 4 + length
    return found


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
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
