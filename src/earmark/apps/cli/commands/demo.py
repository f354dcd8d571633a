"""`earmark demo`: the whole chain on the bundled music, with learned fingerprints and with landmarks."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.apps.cli.failures import DONE, NOT_FOUND
from earmark.apps.cli.options import add_output, output_file, whole_number
from earmark.apps.cli.output import Output
from earmark.apps.cli.pictures import save_picture
from earmark.apps.text import clock
from earmark.errors import OptionError
from earmark.fingerprints import DEFAULT, DESCRIPTIONS, VISIBLE, shown

if TYPE_CHECKING:
    from earmark.apps.demo.clips import Clip
    from earmark.apps.demo.trial import Attempt, Trial

COLUMNS = ("what was done to it", "s", "from", "at")
KINDS = {  # two that differ most; `earmark evaluate --fingerprinter all` compares every kind
    name: f"{DESCRIPTIONS[name].partition(':')[0]}{', the default' if name == DEFAULT else ''}"
    for name in (DEFAULT, VISIBLE)
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--out",
        type=output_file,
        default="demo.png",
        metavar="PICTURE",
        help="where the picture goes (default: demo.png)",
    )
    parser.add_argument(
        "--seed", type=whole_number, default=1, metavar="N", help="draws other clips, noise and rooms (default: 1)"
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print the table and draw the picture; exit status 0 only when the default's answers are as they should be."""
    from earmark.apps.demo import trial

    output = Output.of(options)
    check_picture(options.out)
    began = time.perf_counter()
    output.line("Indexing the bundled music, but for four pieces, with each fingerprinter;")
    output.line("cutting, distorting and identifying clips of all of it.")
    with tempfile.TemporaryDirectory(prefix="earmark-") as folder:
        trials = trial.run(Path(folder), KINDS, seed=options.seed)
    by_clip = list(zip(*(trial.attempts for trial in trials), strict=True))
    for attempts in by_clip:
        output.record(record(attempts))
    output.table((*COLUMNS, *map(shown, KINDS)), [row(attempts) for attempts in by_clip])
    for one in trials:
        conclude(output, one)
    output.line(f"It took {time.perf_counter() - began:.1f} s.")
    draw(output, trials[0], options.out)
    return DONE if trials[0].passed else NOT_FOUND


def check_picture(target: str) -> None:
    """Raise OptionError for a picture that cannot be drawn, before the work; without the extra none is drawn at all."""
    if find_spec("matplotlib") is not None:
        from earmark.apps.plot import figures

        figures.check(target)


def row(attempts: Sequence[Attempt]) -> tuple[str, ...]:
    """Return the cells of the table's row about a clip: what it is, and what each fingerprinter made of it."""
    clip, known = attempts[0].clip, attempts[0].known
    origin = clip.path.stem if known else f"{clip.path.stem} (unknown)"
    return (clip.condition.name, f"{clip.condition.seconds:g}", origin, clock(clip.start), *map(cell, attempts))


def cell(attempt: Attempt) -> str:
    """Return 'right, 0.998', 'missed', 'no match' (rightly), or 'wrong, castle'."""
    best = attempt.answer.best
    if best is None:
        return "missed" if attempt.known else "no match"
    return f"{attempt.verdict}, " + (
        f"{best.confidence:.3f}" if attempt.verdict == "right" else Path(best.track.path).stem
    )


def record(attempts: Sequence[Attempt]) -> dict[str, object]:
    """Return the object about a clip that --json prints."""
    from earmark.apps.records import answer_record

    clip, known = attempts[0].clip, attempts[0].known
    truth = {"file": clip.path.name, "start": clip.start, "known": known, "condition": clip.condition.name}
    answers = {
        name: {"verdict": attempt.verdict, **answer_record(attempt.answer)}
        for name, attempt in zip(KINDS, attempts, strict=True)
    }
    return {"truth": truth, "answers": answers}


def conclude(output: Output, trial: Trial) -> None:
    """Print the sum of one fingerprinter's answers, and what they cost."""
    known = [attempt for attempt in trial.attempts if attempt.known]
    others = [attempt for attempt in trial.attempts if not attempt.known]
    right = [attempt for attempt in known if attempt.verdict == "right"]
    errors = sorted(abs((attempt.place or 0.0) - attempt.clip.start) for attempt in right)
    rejected = sum(attempt.verdict == "right" for attempt in others)
    sums: dict[str, Any] = {
        "fingerprinter": trial.fingerprinter,
        "known": len(known),
        "identified": len(right),
        "unknown": len(others),
        "rejected": rejected,
        "indexing_seconds": trial.indexing_seconds,
        "seconds_a_clip": trial.seconds_a_clip,
    }
    output.record(sums)
    error = f", half of them within {1000 * errors[len(errors) // 2]:.0f} ms of the true place" if errors else ""
    output.line(f"{shown(trial.fingerprinter)} ({KINDS[trial.fingerprinter]}):")
    output.line(f"  {len(right)} of {len(known)} clips of known recordings were identified{error};")
    output.line(f"  {rejected} of {len(others)} clips of music that is not in the catalog were rightly called unknown;")
    output.line(f"  {trial.indexing_seconds:.1f} s to index, {1000 * trial.seconds_a_clip:.0f} ms a clip.")


def draw(output: Output, trial: Trial, target: str) -> None:
    """Draw the noisiest clip that was identified, where it comes from, and how landmarks see that."""
    from earmark.apps.demo.clips import RATE
    from earmark.apps.plot import figures, sounds

    right = [attempt for attempt in trial.attempts if attempt.known and attempt.verdict == "right"]
    hardest = min(right, key=lambda attempt: attempt.clip.condition.hardness, default=None)
    if hardest is None or hardest.answer.best is None:
        return
    clip: Clip = hardest.clip
    try:
        figures.check(target)
    except OptionError as error:  # an install without the extra is no reason to fail
        output.remark(f"no picture: {error}")
        return
    name = f"{clip.path.stem}, {clip.condition.name}"
    figure = figures.draw_match(*sounds.match_view(clip.samples, RATE, hardest.answer.best, name=name))
    save_picture(output, figure, target)
    output.line(f"Drew {target}: a clip under noise, its recording, and the diagonal that gave it away.")
