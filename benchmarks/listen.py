#!/usr/bin/env python3
"""How soon, and how right, listening answers: clips as they arrive, a minute of each of some recordings, jumps in them.

    python benchmarks/listen.py CATALOG CLIPS --conditions clean@5,nrev5@5 [--unknown FOLDER... --minutes 10]

CLIPS has a table queries.csv, as `earmark evaluate --clips` takes it. Recordings are the files of CATALOG's tracks.
With `--count 0 --recordings 0` only sound that CATALOG does not know is heard, as long a part of each folder.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import earmark
from earmark.apps.listen import ListenEvent, Listening
from earmark.audio.decode import load
from earmark.streams.items import Sound
from earmark.types import Samples

RATE = 16_000  # Hz
JUMP_NOTICED_SECONDS = 3.0  # seconds within which a jump is to be noticed
BLOCK = 1_600  # samples, as a microphone hands them over
MINUTE, JUMP_SECONDS = 60.0, 30.0
SUFFIXES = {".ogg", ".mp3", ".flac", ".opus", ".wav", ".m4a"}


def heard(catalog: earmark.Catalog, samples: Samples) -> Iterator[ListenEvent]:
    listening = Listening(catalog, rate=RATE)
    for first in range(0, len(samples), BLOCK):
        yield from listening.take(Sound(samples[first : first + BLOCK], (first + BLOCK) / RATE))


def clips(catalog: earmark.Catalog, folder: Path, condition: str, count: int, ids: dict[str, str]) -> None:
    """Print when the right answer comes to clips of a condition."""
    name, _, seconds = condition.partition("@")
    with (folder / "queries.csv").open() as handle:
        rows = [
            row
            for row in csv.DictReader(handle)
            if row["condition"] == name and float(row["seconds"]) == float(seconds)
        ]
    delays, wrong, errors = list[float](), 0, list[float]()
    for row in rows[:: max(len(rows) // count, 1)][:count]:
        delay = np.inf
        for event in heard(catalog, load(folder / row["path"], rate=RATE)[0]):
            if event.match is None or event.kind == "lost":
                continue
            if row["track_id"] not in {ids.get(event.match.track.id), *(ids.get(one.id) for one in event.match.copies)}:
                wrong += 1
                break
            delay = min(delay, event.seconds)
            errors.append(abs(event.position - float(row["start"]) - event.seconds))
        delays.append(delay)
    found = [delay for delay in delays if np.isfinite(delay)]
    print(
        f"{condition}: {len(delays)} clips, {len(found)} found, median {np.median(delays):.1f} s, {wrong} wrong; "
        f"position off by {1_000 * float(np.median(errors or [np.nan])):.0f} ms (median)",
        flush=True,
    )


def recordings(catalog: earmark.Catalog, count: int, draw: np.random.Generator) -> None:
    """Print how far the position is off over a minute, and when a jump is noticed."""
    tracks = [track for track in catalog if track.seconds > MINUTE + JUMP_SECONDS + 20]
    errors, noticed = list[float](), list[float]()
    for number in draw.choice(len(tracks), count, replace=False):
        samples = load(tracks[int(number)].path, rate=RATE)[0]
        jump = round((MINUTE + JUMP_SECONDS) * RATE)
        sound = np.concatenate([samples[: round(MINUTE * RATE)], samples[jump : jump + 10 * RATE]])
        moved = np.inf
        for event in heard(catalog, sound):
            true = event.seconds + (JUMP_SECONDS if event.seconds > MINUTE else 0.0)
            if event.match is None or event.kind == "lost":
                continue
            if event.seconds <= MINUTE:
                errors.append(abs(event.position - true))
            elif abs(event.position - true) < 0.5:
                moved = min(moved, event.seconds - MINUTE)
        noticed.append(moved)
    print(
        f"a minute of {count} recordings: position off by {1_000 * np.quantile(errors, 0.95):.0f} ms at most in 95 % "
        f"of looks, {1_000 * max(errors):.0f} ms in all; jumps noticed after {np.median(noticed):.1f} s (median), "
        f"{sum(seconds <= JUMP_NOTICED_SECONDS for seconds in noticed)} within {JUMP_NOTICED_SECONDS:g} s",
        flush=True,
    )


def unknown(catalog: earmark.Catalog, folders: list[Path], minutes: float) -> None:
    """Print how often something is named in music and speech that the catalog does not know."""
    heard_seconds, answered = 0.0, 0
    for folder in folders:
        left = 60 * minutes / len(folders)
        paths = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
        for number, path in enumerate(paths):
            each = left / (len(paths) - number)  # seconds, more of the later files where some are shorter
            samples = load(path, rate=RATE)[0][: round(each * RATE)]
            left -= len(samples) / RATE
            heard_seconds += len(samples) / RATE
            for event in heard(catalog, samples):
                if event.kind == "found" and event.match is not None:
                    answered += 1
                    print(f"{path.name} at {event.seconds:.0f} s: {event.match.track.title}", flush=True)
            print(f"{heard_seconds / 60:.1f} min heard, {answered} false answers", flush=True)
    print(f"{heard_seconds / 60:.1f} min of unknown sound: {answered} false answers", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--conditions", default="clean@5,nrev5@5")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--recordings", type=int, default=5)
    parser.add_argument("--corpus", type=Path, help="music.csv of the clips' recordings, with track_id and path")
    parser.add_argument("--unknown", type=Path, nargs="+", default=[])
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    with earmark.open(options.catalog, read_only=True) as catalog:
        ids = {track.id: track.id for track in catalog}
        if options.corpus:
            with options.corpus.open() as handle:
                names = {
                    str((options.corpus.parent / row["path"]).resolve()): row["track_id"]
                    for row in csv.DictReader(handle)
                }
            ids = {track.id: names.get(track.path, track.id) for track in catalog}
        for condition in options.conditions.split(",") if options.count else ():
            clips(catalog, options.clips, condition, options.count, ids)
        if options.recordings:
            recordings(catalog, options.recordings, np.random.default_rng(1))
        if options.unknown:
            unknown(catalog, options.unknown, options.minutes)


if __name__ == "__main__":
    main()
