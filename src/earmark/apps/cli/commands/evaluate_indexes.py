"""`earmark evaluate indexes`: what each kind of index finds of what exact search finds, how fast, in what memory."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark import __version__
from earmark.apps.cli.commands.evaluate import BUNDLED
from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_output, count, numbers, ratios, whole_number
from earmark.apps.cli.output import Output, ProgressLine
from earmark.errors import OptionError

if TYPE_CHECKING:
    from earmark.evaluation.indexes.clips import Clip
    from earmark.evaluation.indexes.measure import Figures
    from earmark.evaluation.indexes.vector_set import VectorSet

UNITS = {"k": 10**3, "M": 10**6}  # factors by suffix


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("catalog", nargs="?", metavar="CATALOG", help="whose vectors (default: of the bundled music)")
    parser.add_argument(
        "--vectors", type=amount, default=0, metavar="N",
        help="as many vectors, as 500k or 10M, by adding disturbed copies of the catalog's",
    )  # fmt: skip
    parser.add_argument(
        "--index", action="append", metavar="NAME:OPTION=N,...",
        help="what to measure beside exact search, as pq:probes=64; repeat it (default: each over a grid of options)",
    )  # fmt: skip
    clips = parser.add_argument_group("clips that are cut from the catalog's recordings: every combination of")
    clips.add_argument("--snr", type=ratios, default="none,5,0", metavar="DB,...", help="noise (default: none,5,0)")
    clips.add_argument("--seconds", type=numbers, default="5", metavar="S,...", help="lengths (default: 5)")
    clips.add_argument(
        "--invented", action="store_true", help="instead: neighbouring vectors with noise; needs no recordings"
    )
    parser.add_argument("--count", type=count, default=50, metavar="N", help="clips a condition (default: 50)")
    parser.add_argument("--seed", type=whole_number, default=1, metavar="N", help="draws other clips (default: 1)")
    parser.add_argument(
        "--out", default="evaluation", metavar="FOLDER", help="where results are kept (default: evaluation)"
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Measure one index after the other and print the table, which is written with a picture too."""
    from earmark.evaluation import run as runs
    from earmark.evaluation.indexes import report
    from earmark.evaluation.indexes.grid import GRID, Kind
    from earmark.evaluation.indexes.measure import measure
    from earmark.evaluation.indexes.vector_set import of_catalog

    output, out = Output.of(options), Path(options.out)
    line = ProgressLine(output)

    def tell(doing: str, done: int, total: int) -> None:
        line.update(f"{doing}: {done:,} of {total:,}", done, total, stage=doing)

    kinds = [Kind.parse(text) for text in options.index or GRID]  # wrong ones are said before anything is done
    catalog = Path(options.catalog) if options.catalog else bundled(out)
    tell("reading the catalog", 0, 1)
    vector_set = of_catalog(catalog, vectors=options.vectors)
    clips = clips_of(vector_set, options, lambda done, total: tell("cutting clips", done, total))
    parameters = parameters_of(vector_set, clips, options)
    folder = runs.run_folder(out, "indexes", {**parameters, "indexes": [str(kind) for kind in kinds]})
    output.remark(f"{vector_set.wanted:,} vectors, {len(clips)} clips; the result is kept in {folder}")
    measured = []
    for figures in measure(vector_set, clips, kinds, tell):
        measured.append(figures)
        written = report.write(measured, parameters, folder)  # what is measured is kept when the rest is interrupted
    output.record(report.record(measured, parameters))
    output.table(report.COLUMNS, [report.row(figures) for figures in measured])
    written += drawn(output, measured, folder, f"{vector_set.wanted:,} vectors")
    output.line(f"Wrote {', '.join(map(str, written))}.")
    return DONE


def bundled(out: Path) -> Path:
    """Return a catalog of the bundled music, which is kept beside the results."""
    import earmark
    from earmark.apps.demo import excerpts
    from earmark.evaluation import run as runs

    paths = excerpts()
    path = runs.named(out, "catalog-bundled", {"earmark": __version__, "recordings": runs.stamps(paths)})
    with earmark.open(path) as catalog:
        catalog.add(map(str, paths))
    return path


def clips_of(vector_set: VectorSet, options: argparse.Namespace, progress: Callable[[int, int], object]) -> list[Clip]:
    """Return the clips that the options ask for."""
    from earmark.evaluation.indexes import clips
    from earmark.evaluation.queries import Grid

    if options.invented:
        return clips.synthetic_clips(vector_set, count=options.count, seed=options.seed)
    grid = Grid(options.snr, (0.0,), options.seconds)
    return clips.cut_clips(vector_set, grid, count=options.count, seed=options.seed, progress=progress)


def parameters_of(vector_set: VectorSet, clips: list[Clip], options: argparse.Namespace) -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "earmark": __version__,
        "catalog": str(Path(options.catalog).resolve()) if options.catalog else BUNDLED,
        "fingerprinter": str(vector_set.fingerprinter.spec),
        "vectors": vector_set.wanted,
        "vectors_of_the_catalog": len(vector_set.vectors),
        "clips": len(clips),
        "conditions": sorted({clip.condition for clip in clips}),
        "seed": options.seed,
    }


def drawn(output: Output, measured: list[Figures], folder: Path, title: str) -> list[Path]:
    """Draw the picture, where matplotlib is, and return its path."""
    from earmark.evaluation.indexes import figure

    try:
        return [figure.draw(measured, folder / "recall.png", title=title)]
    except OptionError as error:  # an install without the extra is no reason to lose the figures
        output.remark(f"no picture: {error}")
        return []


def amount(text: str) -> int:
    """Return '10M' as 10,000,000."""
    unit = UNITS.get(text[-1:], 1)
    digits = text.removesuffix(text[-1:]) if unit > 1 else text
    if not digits.isascii() or not digits.isdecimal() or int(digits) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of vectors, as 500k or 10M")
    return int(digits) * unit
