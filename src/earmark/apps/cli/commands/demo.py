"""`earmark demo`: the whole chain on the bundled music."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.apps.cli.failures import DONE, NOT_FOUND
from earmark.apps.cli.options import add_output
from earmark.apps.cli.output import Output
from earmark.apps.text import clock
from earmark.errors import OptionError

if TYPE_CHECKING:
    from earmark.apps.demo.trial import Attempt

COLUMNS = ("what was done to it", "s", "from", "at", "answer", "at", "confidence", "")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--out", default="demo.png", metavar="PICTURE", help="where the picture goes (default: demo.png)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="draws other clips, noise and rooms (default: 1)"
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print the table and draw the picture; exit status 0 only when the answers are as they should be."""
    from earmark.apps.demo import trial

    output = Output.of(options)
    began = time.perf_counter()
    output.line(
        "Indexing the bundled music, but for four pieces; cutting, distorting and identifying clips of all of it."
    )
    with tempfile.TemporaryDirectory(prefix="earmark-") as folder:
        attempts = list(trial.run(Path(folder), seed=options.seed))
        for attempt in attempts:
            output.record(record(attempt))
        output.table(COLUMNS, [row(attempt) for attempt in attempts])
        conclude(output, attempts, time.perf_counter() - began)
        draw(output, attempts, options.out)
    return DONE if trial.passed(attempts) else NOT_FOUND


def row(attempt: Attempt) -> tuple[str, ...]:
    """Return the cells of the table's row about a clip."""
    clip, best, place = attempt.clip, attempt.answer.best, attempt.place
    origin = clip.path.stem if attempt.known else f"{clip.path.stem} (not in the catalog)"
    asked = (clip.condition.name, f"{clip.condition.seconds:g}", origin, clock(clip.start))
    if best is None or place is None:
        return (*asked, "no match", "", "", attempt.verdict)
    return (*asked, Path(best.track.path).stem, clock(place), f"{best.confidence:.3f}", attempt.verdict)


def record(attempt: Attempt) -> dict[str, object]:
    """Return the object about a clip that --json prints."""
    from earmark.apps.records import answer_record

    clip = attempt.clip
    truth = {"file": clip.path.name, "start": clip.start, "known": attempt.known, "condition": clip.condition.name}
    return {"truth": truth, "verdict": attempt.verdict, **answer_record(attempt.answer)}


def conclude(output: Output, attempts: list[Attempt], elapsed: float) -> None:
    """Print the sum of it."""
    known = [attempt for attempt in attempts if attempt.known]
    others = [attempt for attempt in attempts if not attempt.known]
    right = [attempt for attempt in known if attempt.verdict == "right"]
    errors = sorted(abs((attempt.place or 0.0) - attempt.clip.start) for attempt in right)
    error = f", half of them within {1000 * errors[len(errors) // 2]:.0f} ms of the true place" if errors else ""
    rejected = sum(attempt.verdict == "right" for attempt in others)
    output.line(f"{len(right)} of {len(known)} clips of known recordings were identified{error};")
    output.line(f"{rejected} of {len(others)} clips of music that is not in the catalog were rightly called unknown.")
    output.line(f"It took {elapsed:.1f} s.")


def draw(output: Output, attempts: list[Attempt], target: str) -> None:
    """Draw the noisiest clip that was identified, where it comes from, and how that was seen."""
    from earmark.apps import pictures, sounds
    from earmark.apps.demo.clips import RATE
    from earmark.audio.samples import from_samples
    from earmark.fingerprint import make

    right = [attempt for attempt in attempts if attempt.known and attempt.verdict == "right"]
    hardest = min(right, key=lambda attempt: attempt.clip.condition.hardness, default=None)
    if hardest is None or hardest.answer.best is None:
        return
    clip, maker = hardest.clip, make("shazam")
    try:
        pictures.check(target)
    except OptionError as error:  # an install without the extra is no reason to fail
        output.remark(f"no picture: {error}")
        return
    name = f"{clip.path.stem}, {clip.condition.name}"
    heard = from_samples(clip.samples, RATE, to_rate=maker.rate)
    pictures.save(pictures.draw_match(*sounds.met(heard, hardest.answer.best, maker, name=name)), target)
    output.line(f"Drew {target}: a clip under noise, its recording, and the diagonal that gave it away.")
