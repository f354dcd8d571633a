"""How often a catalog gives a name to sound of which it holds nothing, by kind of sound, length and threshold.

    python benchmarks/false_answers.py ask CATALOG RESULTS --music FOLDER... [--speech FOLDER...] [--noise FOLDER...]
                                       [--seed 1] [--minutes 60] [--kept FOLDER]
    python benchmarks/false_answers.py tell RESULTS... [--json FILE]
    python benchmarks/false_answers.py keep CALIBRATION RESULTS...

`ask` adds lines to RESULTS, one a clip, and goes on where it was stopped: kinds and lengths take turns in an order of
chance, so that it can be stopped anywhere. Music that shares sound with the catalog counts as known, where the files
are there to be compared. `tell` prints shares with their intervals (Clopper and Pearson, Biometrika 26, 1934). `keep`
writes them into the calibration that was asked with, from which answers have their expected false rate. Results of
several catalogs add up.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count, product
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import msgspec
import numpy as np

import earmark
from earmark.catalog.calibrations import read_calibration
from earmark.errors import MediaError
from earmark.evaluation.calibrate import write
from earmark.evaluation.false_rates import count_false, exact_limits
from earmark.evaluation.music import not_indexed
from earmark.evaluation.recordings import Recordings
from earmark.evaluation.truth import SAMENESS_RATE, SHARED_CORRELATION, Sameness
from earmark.evaluation.unknown import KINDS, UnknownClip, UnknownClips

RATE = 16_000  # Hz of the clips
SECONDS = (1.0, 2.0, 5.0, 10.0)  # lengths of the clips
DOUBTFUL = 0.3  # confidence of a candidate from which on a clip is asked again with the default threshold
SOUNDS = {".ogg", ".oga", ".opus", ".mp3", ".flac", ".wav", ".m4a"}
CONFIDENCES = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.924, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)  # thresholds that are told

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    ask = commands.add_parser("ask")
    ask.add_argument("catalog", type=Path)
    ask.add_argument("results", type=Path)
    for kind in ("music", "speech", "noise"):
        ask.add_argument(f"--{kind}", type=Path, nargs="*", default=[], metavar="FOLDER")
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--minutes", type=float, default=60)
    ask.add_argument("--kept", type=Path, help="keeps what was decoded for the next run")
    ask.add_argument("--wait", type=Path, help="asks nothing while this file is there")
    ask.set_defaults(run=ask_clips)
    tell = commands.add_parser("tell")
    tell.add_argument("results", type=Path, nargs="+")
    tell.add_argument("--json", type=Path)
    tell.set_defaults(run=tell_shares)
    keep = commands.add_parser("keep")
    keep.add_argument("calibration", type=Path)
    keep.add_argument("results", type=Path, nargs="+")
    keep.set_defaults(run=keep_counts)
    args = parser.parse_args()
    args.run(args)


def ask_clips(args: argparse.Namespace) -> None:
    """Ask until the time is over; every clip is written down at once."""
    end = time.monotonic() + 60 * args.minutes
    music, speech, noise = (sounds_in(folders) for folders in (args.music, args.speech, args.noise))
    with ExitStack() as stack:
        catalog = stack.enter_context(earmark.open(args.catalog, create=False, read_only=True))
        held = [Path(track.path) for track in catalog]
        voices, around = not_indexed(speech, held), not_indexed(noise, held)
        sounds = stack.enter_context(Recordings(RATE, folder=args.kept))
        maker = UnknownClips(sounds.mapped, rate=RATE, music=music, speech=voices, noise=around, seed=args.seed)
        files = {str(path): path for path in (*music, *(Path(track.path) for track in catalog))}
        assert sounds.rate == SAMENESS_RATE
        same_place = stack.enter_context(Sameness(files, sounds, least=SHARED_CORRELATION))
        asked = {(row["kind"], row["seconds"], row["number"]) for row in rows_of([args.results], seed=args.seed)}
        with args.results.open("a") as handle:
            for kind, seconds, number in order(maker, args.seed):
                if (kind, seconds, number) in asked:
                    continue
                while args.wait is not None and args.wait.exists():
                    time.sleep(5)
                if time.monotonic() > end:
                    return
                clip = maker.make(kind, seconds, number)
                head = {"tracks": len(catalog), "seed": args.seed, "kind": kind, "seconds": seconds, "number": number}
                row = head | answered(catalog, clip, same_place)
                handle.write(json.dumps(row) + "\n")
                handle.flush()


def order(maker: UnknownClips, seed: int) -> Iterator[tuple[Any, float, int]]:
    """Yield (kind, seconds, number) without end: number by number, in an order of chance."""
    cells = list(product(maker.kinds, SECONDS))
    for number in count():
        for place in np.random.default_rng([seed, number]).permutation(len(cells)).tolist():
            yield (*cells[place], number)


def answered(catalog: earmark.Catalog, clip: UnknownClip, same_place: Sameness) -> Row:
    """Return what a catalog says of a clip as users get it, and how sure its best candidate is in any case."""
    answer = catalog.identify((clip.samples, RATE), limit=1, threshold=0)
    best = answer.best
    row: Row = {"threshold": catalog.threshold, "reason": answer.reason, "source": str(clip.path), "start": clip.start}
    if best is None:
        return row | {"confidence": 0.0, "named": False}
    row["confidence"], row["named"] = best.confidence, best.confidence >= catalog.threshold
    if best.confidence >= DOUBTFUL:
        row["named"] = bool(catalog.identify((clip.samples, RATE), limit=1).matches)
        row["track"], row["evidence"] = best.track.path, dict(best.evidence)
        row["shared"] = is_shared(clip, best, same_place)
    return row


def is_shared(clip: UnknownClip, match: earmark.Match, same_place: Sameness) -> bool:
    """Return whether the recording that a clip is from sounds like what was named, where that is named."""
    seconds = len(clip.samples) / RATE
    try:
        place = same_place(str(clip.path), clip.start, match.track.path, match.reference_at(0.0), seconds)
    except (MediaError, OSError):
        return False
    return place is not None


def sounds_in(folders: Sequence[Path]) -> list[Path]:
    """Return the audio files of folders, by name."""
    return sorted(path for one in folders for path in one.rglob("*") if path.suffix.lower() in SOUNDS)


def rows_of(results: Sequence[Path], *, seed: int | None = None) -> list[Row]:
    """Return the lines of results; the last one may have been cut short."""
    rows = list[Row]()
    for path in results:
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if seed is None or row["seed"] == seed:
                rows.append(row)
    return rows


def told(name: str, rows: Sequence[Row]) -> Row:
    """Return how many of some clips were given a name, with the interval."""
    false = sum(row["named"] for row in rows)
    low, high = exact_limits(false, len(rows)) if rows else (0.0, 1.0)
    return {"clips of": name, "clips": len(rows), "false": false, "low": low, "high": high}


def tell_shares(args: argparse.Namespace) -> None:
    """Print shares by kind and length, by kind, by length, and of all; then by threshold."""
    rows = rows_of(args.results)
    known = [row for row in rows if row.get("shared")]
    rows = [row for row in rows if not row.get("shared")]
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for name in (f"{row['kind']} @{row['seconds']:g}", row["kind"], f"@{row['seconds']:g}", "all"):
            groups[name].append(row)
    lengths = [f"@{seconds:g}" for seconds in SECONDS]
    names = [*(f"{kind} {one}" for kind, one in product(KINDS, lengths)), *KINDS, *lengths, "all"]
    shares = [told(name, groups[name]) for name in names if groups[name]]
    for one in shares:
        share = one["false"] / one["clips"]
        print(
            f"{one['clips of']:20} {one['clips']:6} clips, {one['false']:3} false: "
            f"{share:.3%} ({one['low']:.3%} to {one['high']:.3%})"
        )
    print(f"{len(known)} clips of sound that the catalog holds are left out")
    for confidence in CONFIDENCES:
        false = sum(row["confidence"] >= confidence for row in rows)
        low, high = exact_limits(false, len(rows))
        print(f"from {confidence:5}: {false:4} of {len(rows)}: {false / len(rows):.3%} ({low:.3%} to {high:.3%})")
    if args.json:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(shares), indent=1))


def keep_counts(args: argparse.Namespace) -> None:
    """Count false answers by length and threshold, and write them into a calibration."""
    calibration, confidences = read_calibration(args.calibration), defaultdict[float, list[float]](list)
    rows = [row for row in rows_of(args.results) if not row.get("shared")]
    for row in rows:
        assert row["threshold"] == calibration.threshold
        sure = row["confidence"]  # of a first look; what is given a name by a closer one counts at the threshold
        confidences[row["seconds"]].append(max(sure, calibration.threshold) if row["named"] else sure)
    tracks = max(row["tracks"] for row in rows)
    rates = count_false(confidences, threshold=calibration.threshold, tracks=tracks)
    write(msgspec.structs.replace(calibration, false_rates=rates), args.calibration)


if __name__ == "__main__":
    main()
