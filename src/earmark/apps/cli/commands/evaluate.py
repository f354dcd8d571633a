"""`earmark evaluate`: how many clips are identified, under which distortions, and how far to trust the confidence."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark import __version__
from earmark.apps.cli.failures import DONE, PARTLY, complain
from earmark.apps.cli.options import add_output, count, probability
from earmark.apps.cli.output import Output
from earmark.errors import OptionError
from earmark.fingerprints import DEFAULT

if TYPE_CHECKING:
    from earmark.evaluation.queries import Query
    from earmark.evaluation.report import Report
    from earmark.evaluation.run import Reply, Stage

BUNDLED = "bundled"
PROGRESS_SECONDS = 1.0  # between two lines of progress


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
        "--effects", type=words, default="none", metavar="NAME,...", help="as mp3,speed+4 (default: none)"
    )
    grid.add_argument("--noise", metavar="FOLDER", help="recordings of noise (default: noise is made)")
    parser.add_argument("--count", type=count, default=50, metavar="N", help="clips a condition (default: 50)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="draws other clips (default: 1)")
    parser.add_argument(
        "--held-out", type=probability, default=0.2, metavar="SHARE",
        help="share of the music that is not indexed, to count false answers (default: 0.2)",
    )  # fmt: skip
    parser.add_argument("--only", type=words, metavar="NAME@S,...", help="of --clips, these conditions, as noise0@5")
    parser.add_argument(
        "--fingerprinter", type=words, default=DEFAULT, metavar="NAME,...",
        help=f"what to measure, several side by side (default: {DEFAULT}, that of a new catalog)",
    )  # fmt: skip
    parser.add_argument("--workers", type=count, metavar="N", help="clips at a time (default: one a core)")
    parser.add_argument(
        "--out", default="evaluation", metavar="FOLDER", help="where runs are kept (default: evaluation)"
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Index, ask, judge and report; what an earlier run with the same options did is not done again."""
    from earmark.evaluation import report as reports
    from earmark.evaluation import run as runs
    from earmark.evaluation.truth import Sameness
    from earmark.fingerprints import make

    output, out = Output.of(options), Path(options.out)
    kinds = {name: str(make(name).spec) for name in options.fingerprinter}
    material = from_clips(options) if options.clips else from_music(options)
    measured: dict[str, Report] = {}
    failed: dict[str, str] = {}
    with Sameness(material.known) as same_place:
        for name, spec in kinds.items():
            kind = {"fingerprinter": name, "spec": spec}
            folder = runs.run_folder(out, material.name, {**material.parameters, **kind})
            replies, unread, cost = ask(output, material, options, kind, folder)
            outcomes = reports.outcomes_of(material.queries, replies, same_place)
            measured[name] = reports.summarise(outcomes, parameters={**material.parameters, **kind}, cost=cost)
            show(output, measured[name], folder, alone=len(kinds) == 1)
            failed |= dict(unread)
    if len(kinds) > 1:
        compare(output, measured, runs.run_folder(out, material.name, {**material.parameters, "compared": kinds}))
    for path, reason in failed.items():
        complain(f"{path}: {reason}")
    return PARTLY if failed else DONE


def ask(
    output: Output, material: Material, options: argparse.Namespace, kind: Mapping[str, str], folder: Path
) -> tuple[list[Reply], tuple[tuple[str, str], ...], dict[str, float]]:
    """Return the replies to all queries, the files that could not be indexed with reasons, and what it cost.

    The catalog is kept beside the runs, for all that index the same music with a fingerprinter of this kind.
    """
    import earmark
    from earmark.evaluation import run as runs
    from earmark.evaluation.queries import ClipMaker

    recordings = {"recordings": runs.stamps(material.known.values())}
    path = runs.named(Path(options.out), "catalog", {**recordings, **kind})
    ids = {str(path): track for track, path in material.known.items()}
    began = time.perf_counter()
    with earmark.open(path, fingerprinter=kind["fingerprinter"]) as catalog:
        output.remark(f"{kind['fingerprinter']}: indexing {len(ids)} recordings; the run is kept in {folder}")
        failed = catalog.add(list(ids), ids=ids, workers=options.workers).failed
        maker, tell = ClipMaker(material.noises), progress_of(output)
        replies = runs.answer(
            catalog, material.queries, folder, maker=maker, workers=options.workers, progress=tell
        )  # fmt: skip
    cost = {"seconds_of_this_run": time.perf_counter() - began}
    cost["median_seconds_to_answer"] = sorted(reply.elapsed for reply in replies)[len(replies) // 2]
    return replies, failed, cost


@dataclass(frozen=True, slots=True)
class Material:
    """What is indexed and asked."""

    name: str
    parameters: dict[str, Any]
    known: dict[str, Path]  # by track
    queries: Sequence[Query]
    noises: tuple[Path, ...] = ()


def from_music(options: argparse.Namespace) -> Material:
    """Return clips to be cut from a folder of music, part of which stays unknown."""
    from earmark.evaluation.queries import Grid, from_music
    from earmark.evaluation.run import stamps

    if options.corpus or options.only:
        raise OptionError("--corpus and --only go with --clips; leave them out, or give --clips")
    recordings = recordings_in(options.folder)
    grid = Grid(options.snr, options.t60, options.seconds, options.effects)
    held_out = round(options.held_out * len(recordings))
    if len(recordings) - held_out < 1:
        raise OptionError(f"{len(recordings)} recordings with {held_out} held out leave none to index; give more")
    names = spread(list(recordings), held_out)
    known = {track: path for track, path in recordings.items() if track not in names}
    unknown = [(track, recordings[track]) for track in names]
    queries = from_music(list(known.items()), unknown, grid, count=options.count, seed=options.seed)
    noises = tuple(recordings_in(options.noise).values()) if options.noise else ()
    parameters = {
        "earmark": __version__,
        "files": stamps([*recordings.values(), *noises]),
        "music": str(Path(options.folder).resolve()) if options.folder else BUNDLED,
        "noise": str(Path(options.noise).resolve()) if options.noise else "made",
        **{name: getattr(options, name) for name in ("snr", "t60", "seconds", "effects", "count", "seed", "held_out")},
    }
    return Material(
        Path(options.folder).resolve().name if options.folder else BUNDLED, parameters, known, queries, noises
    )


def from_clips(options: argparse.Namespace) -> Material:
    """Return clips that lie in a folder, and their references."""
    from earmark.evaluation.queries import from_clips
    from earmark.evaluation.run import stamps

    if not options.corpus or options.folder:
        raise OptionError("--clips needs --corpus, and no FOLDER beside it")
    corpus = Path(options.corpus)
    queries = from_clips(Path(options.clips))
    if options.only:
        queries = [query for query in queries if f"{query.condition}@{query.seconds:g}" in options.only]
        if not queries:
            raise OptionError(f"--only {','.join(options.only)} names no condition of {options.clips}; see its table")
    try:
        with (corpus / "music.csv").open(newline="") as handle:
            known = {row["track_id"]: corpus / row["path"] for row in csv.DictReader(handle)}
    except (FileNotFoundError, KeyError) as error:
        raise OptionError(f"{corpus / 'music.csv'} is no table with track_id and path: {error}") from error
    parameters = {
        "earmark": __version__,
        "files": stamps([Path(options.clips) / "queries.csv", corpus / "music.csv", *known.values()]),
        "clips": str(Path(options.clips).resolve()),
        "corpus": str(corpus.resolve()),
        "only": options.only,
    }
    return Material(Path(options.clips).resolve().name, parameters, known, queries)


def recordings_in(folder: str | None) -> dict[str, Path]:
    """Return the audio files below a folder (default: the bundled music) by their path in it, sorted."""
    if folder is None:
        from earmark.apps.demo import excerpts

        return {path.stem: path for path in excerpts()}
    from earmark.datasets.folder import audio_files

    root = Path(folder)
    found = {str(path.relative_to(root)): path for path in audio_files(root)}
    if not found:
        raise OptionError(f"{folder} has no audio in it; give a folder of recordings")
    return found


def spread(names: list[str], wanted: int) -> list[str]:
    """Return `wanted` of the names at equal distances: the same ones whatever the seed, so that runs are paired."""
    return [names[index * len(names) // wanted] for index in range(wanted)]


def progress_of(output: Output) -> Callable[[Stage], object] | None:
    """Return what prints progress and an estimate, at most once a second, when somebody watches."""
    if not output.interactive:
        return None
    last = 0.0

    def tell(stage: Stage) -> None:
        nonlocal last
        if stage.done < stage.total and time.monotonic() - last < PROGRESS_SECONDS:
            return
        last = time.monotonic()
        end = "\n" if stage.done == stage.total else "\r"
        print(
            f"{stage.done} of {stage.total} clips, {stage.seconds_left:.0f} s left ",
            end=end,
            file=sys.stderr,
            flush=True,
        )

    return tell


def show(output: Output, report: Report, folder: Path, *, alone: bool) -> None:
    """Write the table of one fingerprinter with its pictures, and print it when there is no other."""
    from earmark.evaluation import report as reports

    written = [
        *reports.write(report, folder),
        *pictures_of(output, {report.parameters["fingerprinter"]: report}, folder),
    ]
    if alone:
        output.record(reports.record(report))
        output.table(reports.COLUMNS, reports.table_rows(report))
        for line in reports.sentences(report):
            output.line(line)
    output.line(f"Wrote {', '.join(map(str, written))}.")


def compare(output: Output, measured: Mapping[str, Report], folder: Path) -> None:
    """Print the table of several fingerprinters, and write it with its pictures."""
    from earmark.evaluation import comparison

    written = [*comparison.write(measured, folder), *pictures_of(output, measured, folder)]
    output.record(comparison.record(measured))
    output.table(comparison.columns(measured), comparison.table_rows(measured))
    for line in comparison.sentences(measured):
        output.line(line)
    output.line(f"Wrote {', '.join(map(str, written))}.")


def pictures_of(output: Output, measured: Mapping[str, Report], folder: Path) -> list[Path]:
    """Draw what is measured, and return where."""
    from earmark.evaluation import figures

    try:
        return figures.draw(measured, folder)
    except OptionError as error:  # an install without the extra is no reason to lose the figures
        output.remark(f"no pictures: {error}")
        return []


def numbers(text: str) -> tuple[float, ...]:
    """Return '1,2.5' as (1.0, 2.5)."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers") from None


def ratios(text: str) -> tuple[float | None, ...]:
    """Return 'none,10' as (None, 10.0)."""
    return tuple(None if part == "none" else numbers(part)[0] for part in text.split(","))


def words(text: str) -> tuple[str, ...]:
    """Return 'mp3,speed+4' as ('mp3', 'speed+4')."""
    return tuple(text.split(","))
