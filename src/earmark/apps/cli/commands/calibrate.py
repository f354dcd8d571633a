"""`earmark calibrate`: fit the confidence of a catalog on clips whose truth is known."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_output, count, numbers, output_file, probability, ratios, whole_number, words
from earmark.apps.cli.output import Output, ProgressLine
from earmark.errors import OptionError

if TYPE_CHECKING:
    from earmark.evaluation.calibrate import Fit
    from earmark.evaluation.samples import ClipSet
    from earmark.match.calibration import FalseRates

CALIBRATION = "calibration.json"  # name of the file in a catalog's folder
THRESHOLD_COLUMNS = ("log odds", "confidence", "s", "right", "false at worst", "worst kind of unknown clips")
FALSE_COLUMNS = ("s", "unknown clips", "given a name", "at most")
CONFIDENCE_COLUMNS = ("confidence", "mean", "right", "clips")
EPILOGUE = """\
CLIPS has a table queries.csv, the folder of --corpus a table music.csv, both as for `earmark evaluate`. Without CLIPS,
clips are cut from the catalog's own files and from --unknown-music, which the catalog must not hold; noise, tones, near
silence and, with --speech, voices are unknown clips too.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("catalog", metavar="CATALOG", help="the catalog that the confidence is for")
    parser.add_argument("clips", nargs="?", metavar="CLIPS", help="clips with a table queries.csv (default: cut some)")
    parser.add_argument("--corpus", metavar="FOLDER", help="the clips' references: music.csv with track_id and path")
    parser.add_argument("--only", type=words, metavar="NAME@S,...", help="of the clips, these conditions, as noise0@5")
    parser.add_argument(
        "--unknown", action="append", default=[], metavar="CLIPS", help="more clips, all unknown; may be repeated"
    )
    parser.add_argument(
        "--any-speed", action="append", default=[], metavar="CLIPS",
        help="clips at other speeds and pitches, known and unknown, for a catalog that was made with --any-speed; "
        "may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--also", action="append", default=[], metavar="CATALOG",
        help="a catalog of the same kind and another size, asked for the same clips; may be repeated",
    )  # fmt: skip
    cut = parser.add_argument_group("clips that are cut from the catalog's files: every combination of")
    cut.add_argument("--snr", type=ratios, default="none,10,5,0", metavar="DB,...", help="noise (default: none,10,5,0)")
    cut.add_argument("--t60", type=numbers, default="0,0.5", metavar="S,...", help="rooms (default: 0,0.5)")
    cut.add_argument("--seconds", type=numbers, default="1,2,5", metavar="S,...", help="lengths (default: 1,2,5)")
    cut.add_argument("--unknown-music", metavar="FOLDER", help="music that the catalog does not hold")
    cut.add_argument("--speech", metavar="FOLDER", help="recordings of speech, which are unknown clips too")
    cut.add_argument("--noise", metavar="FOLDER", help="recordings of noise (default: noise is made)")
    cut.add_argument("--count", type=count, default=50, metavar="N", help="clips a condition (default: 50)")
    cut.add_argument("--seed", type=whole_number, default=1, metavar="N", help="draws other clips (default: 1)")
    parser.add_argument(
        "--most-false", type=probability, default=0.005, metavar="SHARE",
        help="share of any kind of unknown clips that may be answered at the threshold (default: 0.005)",
    )  # fmt: skip
    parser.add_argument("--workers", type=count, metavar="N", help="clips at a time (default: one a core)")
    parser.add_argument(
        "--out",
        type=output_file,
        metavar="FILE",
        help=f"where the calibration goes (default: {CALIBRATION} in the catalog's folder)",
    )
    add_output(parser)
    parser.epilog = EPILOGUE


def run(options: argparse.Namespace) -> int:
    """Ask, fit, print what each threshold lets through, and write the calibration."""
    from earmark.evaluation.calibrate import calibrate, write

    output = Output.of(options)
    line = ProgressLine(output)
    calibration, fits = calibrate(
        [options.catalog, *options.also], clip_sets(options), most_false=options.most_false, workers=options.workers,
        progress=lambda done, total: line.update(f"{done:,} of {total:,} clips", done, total),
    )  # fmt: skip
    path = write(calibration, options.out or Path(options.catalog) / CALIBRATION)
    rates = calibration.false_rates
    output.record({
        "calibration": str(path), "fitted_on": calibration.fitted_on, "models": list(map(record, fits)),
        "false_rates": None if rates is None else msgspec.to_builtins(rates),
    })  # fmt: skip
    for fit in fits:
        show(output, fit)
    if rates is None:
        output.line("false answers: not counted, for want of clips; give more (--count)")
    else:
        show_false(output, rates, calibration.threshold)
    output.line(f"Wrote {path}.")
    return DONE


def clip_sets(options: argparse.Namespace) -> list[ClipSet]:
    """Return the clips that the options name, or those to be cut."""
    import earmark
    from earmark.evaluation.music import not_indexed, recordings_in, references_in
    from earmark.evaluation.queries import Grid
    from earmark.evaluation.samples import cut_clips, finds_any_speed, made_clips, read_clips

    if options.clips:
        if not options.corpus or options.unknown_music or options.speech or options.noise:
            raise OptionError("CLIPS needs --corpus, and none of --unknown-music, --speech and --noise beside it")
        tracks = references_in(options.corpus)
        return [
            read_clips(options.clips, tracks, only=options.only),
            *(read_clips(folder, tracks, unknown=True, only=options.only) for folder in options.unknown),
            *(read_clips(folder, tracks, any_speed=True) for folder in options.any_speed),
        ]
    if options.corpus or options.only or options.unknown or options.any_speed or not options.unknown_music:
        raise OptionError("give CLIPS with --corpus, or --unknown-music to cut clips, and nothing of the other")
    with earmark.open(options.catalog, create=False, read_only=True) as catalog:
        held = [Path(track.path) for track in catalog]
    noises, speech = (
        not_indexed(recordings_in(folder).values(), held) if folder else ()
        for folder in (options.noise, options.speech)
    )
    grid = Grid(options.snr, options.t60, options.seconds)
    cut = partial(
        cut_clips, options.catalog, recordings_in(options.unknown_music),
        noises=noises, count=options.count, seed=options.seed,
    )  # fmt: skip
    made = made_clips(options.seconds, speech=speech, noises=noises, count=options.count, seed=options.seed)
    return [cut(grid), made, *([cut(any_speed=True)] if finds_any_speed(options.catalog) else [])]


def record(fit: Fit) -> dict[str, object]:
    """Return the object about a model that --json prints; there is null where no clip tells."""
    thresholds = [
        {key: None if value != value else value for key, value in asdict(row).items()} for row in fit.thresholds
    ]
    return {
        "layers": fit.model.layers,
        "features": fit.model.features,
        "lengths": fit.model.lengths,
        "weights": fit.model.weights,
        "threshold": fit.model.threshold,
        "log_odds": fit.log_odds,
        "thresholds": thresholds,
        "confidences": [asdict(row) for row in fit.confidences],
    }


def show_false(output: Output, rates: FalseRates, threshold: float) -> None:
    """Print how many unknown clips are given a name at the default threshold, by a model that did not see them."""
    column = rates.thresholds.index(threshold)
    output.table(FALSE_COLUMNS, [
        (f"{seconds:g}", f"{clips:,}", str(false[column]), f"{most[column]:.2%}")
        for seconds, clips, false, most in zip(rates.seconds, rates.clips, rates.false, rates.most, strict=True)
    ])  # fmt: skip


def show(output: Output, fit: Fit) -> None:
    """Print a model's weights, what each threshold lets through, and what a confidence is worth."""
    output.line(f"{' and '.join(fit.model.layers)}: {', '.join(fit.model.features)}")
    for length, weights in zip(fit.model.lengths, fit.model.weights, strict=True):
        output.line(f"  {length:g} s: {', '.join(f'{weight:g}' for weight in weights)}")
    output.table(THRESHOLD_COLUMNS, [
        (f"{row.log_odds:.1f}", f"{row.confidence:.3f}", f"{row.seconds:g}", f"{row.right:.1%}",
         f"{row.false:.2%}", row.worst)
        for row in fit.thresholds
    ])  # fmt: skip
    output.table(CONFIDENCE_COLUMNS, [
        (f"{row.low:.2f}-{row.high:.2f}", f"{row.mean:.3f}", f"{row.right:.3f}", str(row.clips))
        for row in fit.confidences
    ])  # fmt: skip
    output.line(f"threshold: log odds {fit.log_odds:g}, confidence {fit.model.threshold:.4f}")
