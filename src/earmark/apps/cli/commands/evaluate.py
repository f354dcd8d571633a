"""`earmark evaluate`: how many clips are identified, under which distortions, and how far to trust the confidence."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.apps.cli.failures import DONE, PARTLY, error_line
from earmark.apps.cli.options import add_align, add_output, count, numbers, probability, ratios, whole_number, words
from earmark.apps.cli.output import Output, ProgressLine
from earmark.apps.cli.settings import add_settings, settings_of
from earmark.apps.text import amount
from earmark.errors import OptionError
from earmark.fingerprints import DEFAULT, shown

if TYPE_CHECKING:
    from earmark.evaluation.music import Corpus, Evaluation, Measurement
    from earmark.evaluation.report import Report
    from earmark.evaluation.run import Stage
    from earmark.evaluation.scenes.run import Sources

BUNDLED = "bundled"  # name of the bundled music among the runs
CLIPS = 50  # clips a condition, where --count does not say


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="music to measure on (default: the bundled music)")
    clips = parser.add_argument_group("clips that are there already")
    clips.add_argument("--clips", metavar="FOLDER", help="clips with a table queries.csv, instead of cutting some")
    clips.add_argument("--corpus", metavar="FOLDER", help="their references: music.csv with track_id and path")
    grid = parser.add_argument_group("clips that are cut from the music: every combination of")
    grid.add_argument(
        "--snr", type=ratios, default="none,10,5,0", metavar="DB,...", help="noise (default: none,10,5,0)"
    )
    grid.add_argument("--t60", type=numbers, default="0,0.5", metavar="S,...", help="rooms (default: 0,0.5)")
    grid.add_argument("--seconds", type=numbers, default="1,2,5", metavar="S,...", help="lengths (default: 1,2,5)")
    grid.add_argument(
        "--effects", type=words, default="none", metavar="NAME,...", help="as mp3,speed+4,speech-5 (default: none)"
    )
    grid.add_argument("--noise", metavar="FOLDER", help="recordings of noise (default: noise is made)")
    grid.add_argument(
        "--speech", metavar="FOLDER", help="recordings of speech, for effects as speech-5, and talk in scenes"
    )
    scenes = parser.add_argument_group(
        "instead of clips, long sounds that hold more than one thing, and their passages"
    )
    scenes.add_argument("--scenes", action="store_true", help="measure what identify --several finds in them")
    scenes.add_argument("--kinds", type=words, metavar="NAME,...", help="as playlist,jingles (default: all)")
    scenes.add_argument("--unknown-music", metavar="FOLDER", help="more music that is not indexed")
    scenes.add_argument(
        "--catalog", metavar="FOLDER", help="ask this catalog, for pieces of its own files below FOLDER"
    )
    parser.add_argument(
        "--count", type=count, metavar="N", help="clips a condition (default: 50), or scenes (default: by their kind)"
    )
    parser.add_argument("--seed", type=whole_number, default=1, metavar="N", help="draws other clips (default: 1)")
    parser.add_argument(
        "--held-out", type=probability, default=0.2, metavar="SHARE",
        help="share of the music that is not indexed, to count false answers (default: 0.2)",
    )  # fmt: skip
    parser.add_argument("--only", type=words, metavar="NAME@S,...", help="of --clips, these conditions, as noise0@5")
    parser.add_argument(
        "--fingerprinter", type=words, default=DEFAULT, metavar="NAME,...",
        help=f"what to measure, several side by side, or all (default: {DEFAULT}, that of a new catalog)",
    )  # fmt: skip
    add_settings(parser.add_argument_group("settings of the catalogs that are made to measure them"))
    add_align(parser)
    parser.add_argument("--workers", type=count, metavar="N", help="clips at a time (default: one a core)")
    parser.add_argument(
        "--out", default="evaluation", metavar="FOLDER", help="where runs are kept (default: evaluation)"
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Measure each fingerprinter and print the tables; what an earlier run with the same options did is kept."""
    import earmark

    output = Output.of(options)
    if options.scenes:
        return run_scenes(options, output)
    if options.kinds or options.unknown_music or options.catalog:
        raise OptionError("--kinds, --unknown-music and --catalog go with --scenes; leave them out, or give it")
    corpus = read_corpus(options) if options.clips else cut_corpus(options)

    def begin(name: str, folder: Path) -> None:
        of = amount(len(corpus.known), "recording")
        output.remark(f"{shown(name)}: indexing {of}; the run is kept in {folder}")

    progress_line = ProgressLine(output)

    def progress(stage: Stage) -> None:
        text = f"{stage.done} of {stage.total} clips, {stage.seconds_left:.0f} s left"
        progress_line.update(text, stage.done, stage.total)

    evaluation = earmark.evaluate(
        corpus, fingerprinters=options.fingerprinter, settings=settings_of(options), out=options.out,
        align=options.align,
        workers=options.workers, begin=begin,
        progress=progress,
    )  # fmt: skip
    for name, measurement in evaluation.measurements.items():
        show(output, name, measurement, alone=evaluation.folder is None)
    if evaluation.folder is not None:
        show_comparison(output, evaluation, evaluation.folder)
    for path, reason in evaluation.failed.items():
        error_line(f"{path}: {reason}")
    return PARTLY if evaluation.failed else DONE


def run_scenes(options: argparse.Namespace, output: Output) -> int:
    """Measure what each fingerprinter, or a catalog, finds in scenes, and print the tables."""
    from earmark.evaluation.scenes import report
    from earmark.evaluation.scenes.kinds import KINDS
    from earmark.evaluation.scenes.run import Selection, evaluate_scenes, kinds_named

    selection = Selection(kinds_named(options.kinds or tuple(KINDS)), options.seed, options.count, options.align)
    line = ProgressLine(output)

    def progress(stage: Stage) -> None:
        line.update(f"{stage.done} of {stage.total} scenes, {stage.seconds_left:.0f} s left", stage.done, stage.total)

    measured = evaluate_scenes(
        scene_sources(options), selection, catalog=options.catalog, fingerprinters=options.fingerprinter,
        out=options.out, workers=options.workers,
        begin=lambda name, folder: output.remark(f"{shown(name)}: the run is kept in {folder}"),
        progress=progress,
    )  # fmt: skip
    failed = {path: reason for one in measured.values() for path, reason in one.failed}
    for name, one in measured.items():
        output.record({"of": name, "left_out": dict(one.left_out), "scenes": report.record(one.rows)})
        output.table(report.COLUMNS, report.table_rows(one.rows))
        for sentence in report.sentences(one.left_out):
            output.remark(sentence)
        output.line(f"Wrote {', '.join(map(str, one.written))}.")
    for path, reason in failed.items():
        error_line(f"{path}: {reason}")
    return PARTLY if failed else DONE


def scene_sources(options: argparse.Namespace) -> Sources:
    """Return what the scenes are made of: a catalog's own files, a folder of music, or the bundled music."""
    from earmark.apps.demo import excerpts
    from earmark.evaluation.scenes.run import sources_of_catalog, sources_of_folder

    if options.clips or options.corpus or options.only:
        raise OptionError("--clips, --corpus and --only do not go with --scenes; leave them out")
    if given := settings_of(options):
        raise OptionError(
            f"settings of catalogs ({', '.join(given)}) do not go with --scenes: make a catalog with them by "
            "`earmark index`, and give it as --catalog"
        )
    others = {"unknown": options.unknown_music, "speech": options.speech, "noise": options.noise}
    if options.catalog:
        return sources_of_catalog(options.catalog, music=options.folder, **others)
    recordings = options.folder or {path.stem: path for path in excerpts()}
    return sources_of_folder(recordings, name=BUNDLED, held_out=options.held_out, **others)


def cut_corpus(options: argparse.Namespace) -> Corpus:
    """Return the clips to be cut from a folder of music, or from the bundled music."""
    from earmark.apps.demo import excerpts
    from earmark.evaluation import music
    from earmark.evaluation.queries import Grid

    if options.corpus or options.only:
        raise OptionError("--corpus and --only go with --clips; leave them out, or give --clips")
    recordings = options.folder or {path.stem: path for path in excerpts()}
    grid = Grid(options.snr, options.t60, options.seconds, options.effects)
    return music.cut_corpus(
        recordings, grid, name=BUNDLED, noise=options.noise, speech=options.speech, count=options.count or CLIPS,
        seed=options.seed,
        held_out=options.held_out,
    )  # fmt: skip


def read_corpus(options: argparse.Namespace) -> Corpus:
    """Return the clips that lie in a folder, and their references."""
    from earmark.evaluation import music

    if not options.corpus or options.folder:
        raise OptionError("--clips needs --corpus, and no FOLDER beside it")
    return music.read_corpus(options.clips, options.corpus, only=options.only)


def show(output: Output, name: str, measurement: Measurement, *, alone: bool) -> None:
    """Draw the pictures of one fingerprinter, and print its table when there is no other."""
    from earmark.evaluation import report as reports

    report = measurement.report
    if alone:
        output.record(reports.record(report))
        output.table(reports.COLUMNS, reports.table_rows(report))
        for line in reports.sentences(report):
            output.line(line)
    written = [*measurement.written, *pictures_of(output, {name: report}, measurement.folder)]
    output.line(f"Wrote {', '.join(map(str, written))}.")


def show_comparison(output: Output, evaluation: Evaluation, folder: Path) -> None:
    """Draw the pictures of several fingerprinters, and print their table."""
    from earmark.evaluation import comparison

    measured = evaluation.reports
    output.record(comparison.record(measured))
    output.table(comparison.SUMMARY_COLUMNS, comparison.summary_rows(measured))
    output.line("index x: hours indexed in an hour of one core; ms/clip: time of one core")
    if len(measured) <= comparison.MOST_IN_A_ROW:
        output.table(comparison.columns(measured), comparison.table_rows(measured))
        for line in comparison.sentences(measured):
            output.line(line)
    written = [*evaluation.written, *pictures_of(output, measured, folder)]
    output.line(f"Wrote {', '.join(map(str, written))}.")


def pictures_of(output: Output, measured: Mapping[str, Report], folder: Path) -> list[Path]:
    """Draw what is measured, and return where."""
    from earmark.evaluation import figures

    try:
        return figures.draw(measured, folder)
    except OptionError as error:  # an install without the extra is no reason to lose the figures
        output.remark(f"no pictures: {error}")
        return []
