"""What recurs in episodes of speech: opening and closing music, jingles and adverts, and how near borders are told.

    python benchmarks/repeats.py --music DATA/dev/music --speech SPEECH --pcm FOLDER [--episodes 10] [--minutes 40]

Speech is used once, so that nothing but the music recurs: `benchmarks/speech.py SPEECH --recordings 60` makes as much
as ten episodes of 40 minutes take. Times are of the processor, and of the process that asks alone.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import soundfile

import earmark
from earmark.evaluation.music import recordings_in
from earmark.evaluation.recordings import Recordings
from earmark.types import RepeatPlace, Samples

RATE = 16_000  # Hz of the episodes
ITEM_SECONDS = (25.0, 15.0, 3.0, 5.0, 8.0, 20.0, 30.0)  # opening and closing music, jingles, adverts
SHORTEST_MUSIC = 60.0  # seconds of a recording that an item is cut from
TOLERANCE_SECONDS = 0.5  # error of a border that counts as right


@dataclass(frozen=True)
class Recurring:
    """A place at which something that recurs was put into an episode."""

    item: int
    path: str
    start: float
    end: float


class Speech:
    """Recordings of speech one after another, each used once."""

    def __init__(self, paths: Sequence[Path], sounds: Recordings) -> None:
        self._paths, self._sounds, self._start = list(paths), sounds, 0.0

    def next(self, seconds: float) -> Samples:
        """Return the next seconds; raises IndexError when there is no more."""
        while self._sounds.seconds(self._paths[0]) - self._start < seconds:
            self._paths.pop(0)
            self._start = 0.0
        found = self._sounds.piece(self._paths[0], self._start, seconds)
        self._start += seconds
        return found


def repeats(options: argparse.Namespace) -> None:
    """Make episodes of speech with opening and closing music, jingles and adverts, and say what is told of them."""
    random = np.random.default_rng(options.seed)
    with Recordings(RATE, folder=options.pcm) as sounds, tempfile.TemporaryDirectory() as folder:
        music = [path for path in recordings_in(options.music).values() if sounds.seconds(path) >= SHORTEST_MUSIC]
        chosen = random.permutation(len(music))[: len(ITEM_SECONDS)].tolist()
        items = [
            sounds.piece(music[which], float(random.uniform(5, 20)), length)
            for which, length in zip(chosen, ITEM_SECONDS, strict=True)
        ]
        speech = Speech([*recordings_in(options.speech).values()], sounds)
        truth = list[Recurring]()
        for number in range(options.episodes):
            truth += episode(Path(folder) / f"{number:02d}.wav", items, speech, options.minutes, random)
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
    within = sum(error <= TOLERANCE_SECONDS for error in errors)
    false = [place for place in told if not any(place.track.path == one.path and meets(place, one) for one in truth)]
    print(f"{len(truth)} places, {missed} lost, {within} with both borders within {TOLERANCE_SECONDS} s", end="")
    print(f", largest error {max(errors, default=0.0):.2f} s")
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
    speech: Speech,
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
            parts.append(speech.next(float(random.uniform(0.8, 1.2)) * pause))
            at += len(parts[-1]) / RATE
    soundfile.write(path, np.concatenate(parts), RATE, subtype="PCM_16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--music", type=Path, required=True)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--pcm", type=Path, required=True, help="folder that keeps what is decoded")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--seed", type=int, default=1)
    repeats(parser.parse_args())


if __name__ == "__main__":
    main()
