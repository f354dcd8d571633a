"""`earmark compare`: do two files hold the same recording?"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from earmark.apps.cli.failures import DONE, NOT_FOUND
from earmark.apps.cli.options import add_align, add_output, probability
from earmark.apps.cli.output import Output
from earmark.apps.text import clock

DRIFT_SECONDS = 60.0  # least length of a passage whose ends tell how two clocks differ


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("first", metavar="A", help="an audio or video file")
    parser.add_argument("second", metavar="B", help="another")
    parser.add_argument(
        "--threshold", type=probability, metavar="P", help="the least confidence that counts as the same"
    )
    parser.add_argument("--speed", action="store_true", help="look for any other speed and pitch too (slower)")
    add_align(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Look for the shorter file in the longer one; exit status 0 when it is there."""
    import earmark

    output = Output.of(options)
    found = earmark.compare(
        options.first, options.second, threshold=options.threshold, speed=options.speed, align=options.align
    )
    record = {"first": options.first, "second": options.second, "same": found.same}
    matches = [{**asdict(passage), "drift_ppm": round(passage.drift, 1)} for passage in found.passages]
    rest = {"only_first": found.only_first, "only_second": found.only_second}
    output.record({**record, "matches": matches, **rest, "reason": found.reason, "elapsed": found.elapsed})
    if not found.same:
        output.line(f"not found to be the same recording ({found.reason})")
        return NOT_FOUND
    for one in found.passages:
        first = f"{clock(one.first_start)} to {clock(one.first_end)} of {options.first}"
        second = f"{clock(one.second_start)} to {clock(one.second_end)} of {options.second}"
        speed = f", speed {one.speed:.4f}" if one.speed is not None and abs(one.speed - 1) > 0.002 else ""
        is_long = one.first_end - one.first_start >= DRIFT_SECONDS
        drift = f", drift {one.drift:+.0f} ppm" if is_long and not speed else ""
        output.line(f"the same recording: {first} is {second}{speed}{drift}, confidence {one.confidence:.3f}")
    for name, gaps in ((options.first, found.only_first), (options.second, found.only_second)):
        for start, end in gaps:
            output.line(f"only in {name}: {clock(start)} to {clock(end)}")
    return DONE
