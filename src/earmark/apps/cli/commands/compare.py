"""`earmark compare`: do two files hold the same recording?"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.apps.cli.failures import DONE, NOT_FOUND
from earmark.apps.cli.options import add_output, probability
from earmark.apps.cli.output import Output
from earmark.apps.text import clock
from earmark.errors import MediaError

if TYPE_CHECKING:
    from earmark.types import Answer, Match


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("first", metavar="A", help="an audio or video file")
    parser.add_argument("second", metavar="B", help="another")
    parser.add_argument(
        "--threshold", type=probability, metavar="P", help="the least confidence that counts as the same"
    )
    parser.add_argument("--speed", action="store_true", help="look for other playing speeds too (slower)")
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Look for the shorter file in the longer one; exit status 0 when it is there."""
    output = Output.of(options)
    answer, swapped = meet(options)
    record = {"first": options.first, "second": options.second, "same": bool(answer.matches)}
    matches = [places(match, swapped=swapped) for match in answer.matches]
    output.record({**record, "matches": matches, "reason": answer.reason, "elapsed": answer.elapsed})
    if not matches:
        output.line(f"not found to be the same recording ({answer.reason})")
    for match in matches:
        first = f"{clock(match['first_start'])} to {clock(match['first_end'])} of {options.first}"
        second = f"{clock(match['second_start'])} to {clock(match['second_end'])} of {options.second}"
        speed = f", speed {match['speed']:.4f}" if abs(match["speed"] - 1) > 0.002 else ""
        output.line(f"the same recording: {first} is {second}{speed}, confidence {match['confidence']:.3f}")
    return DONE if matches else NOT_FOUND


def meet(options: argparse.Namespace) -> tuple[Answer, bool]:
    """Return what a catalog of the longer file says of the shorter, and whether the shorter is the second."""
    import earmark

    with tempfile.TemporaryDirectory(prefix="earmark-") as folder:
        with earmark.open(Path(folder) / "one.earmark") as catalog:
            report = catalog.add([options.first], workers=1)
            refuse(report.failed)
            (known,) = catalog.tracks()
            answer = catalog.identify(options.second, threshold=options.threshold, speed=options.speed)
            if answer.seconds <= known.seconds:
                return answer, True
        with earmark.open(Path(folder) / "other.earmark") as catalog:
            refuse(catalog.add([options.second], workers=1).failed)
            return catalog.identify(options.first, threshold=options.threshold, speed=options.speed), False


def refuse(failed: tuple[tuple[str, str], ...]) -> None:
    """Raise the MediaError that an `add` reported, if it did."""
    for path, reason in failed:
        code, _, detail = reason.partition(": ")
        raise MediaError(code, f"{path}: {detail}" if detail else path)


def places(match: Match, *, swapped: bool) -> dict[str, Any]:
    """Return where a match lies in the first and in the second file."""
    query = (match.query_start, match.query_end)
    reference = (match.reference_start, match.reference_end)
    first, second = (reference, query) if swapped else (query, reference)
    return {
        "first_start": first[0],
        "first_end": first[1],
        "second_start": second[0],
        "second_end": second[1],
        "speed": match.speed if not swapped else 1 / match.speed,
        "confidence": match.confidence,
    }
