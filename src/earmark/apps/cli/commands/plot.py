"""`earmark plot`: draw what a file's fingerprint sees, or how a clip meets a recording."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.apps.cli.failures import DONE, NOT_FOUND, error_line
from earmark.apps.cli.options import add_output, output_file
from earmark.apps.cli.output import Output
from earmark.apps.cli.pictures import save_picture
from earmark.fingerprints import VISIBLE, make, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("file", metavar="FILE", help="an audio or video file")
    parser.add_argument(
        "--catalog", metavar="FOLDER", help="identify FILE in this catalog and draw the match instead of FILE alone"
    )
    parser.add_argument(
        "--fingerprinter", metavar="NAME", default=VISIBLE,
        help=f"how the file is seen (default: {shown(VISIBLE)}; of a match as its catalog sees it)",
    )  # fmt: skip
    parser.add_argument(
        "--out",
        type=output_file,
        metavar="PICTURE",
        help="where the picture goes (default: FILE's name with .png, here)",
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Write the picture; exit status 1 when a match was asked for and there is none."""
    from earmark.apps.plot import figures

    output = Output.of(options)
    target = options.out or f"{Path(options.file).stem}.png"
    figures.check(target)
    figure = draw_match(options) if options.catalog else draw_sound(options)
    if figure is None:
        error_line(f"{options.file}: no match to draw in {options.catalog}")
        return NOT_FOUND
    save_picture(output, figure, target)
    output.record({"picture": target})
    output.line(f"drew {target}")
    return DONE


def draw_sound(options: argparse.Namespace) -> Figure:
    """Return the picture of a file."""
    from earmark.apps.plot import pictures

    return pictures.draw_sound(options.file, make(options.fingerprinter))


def draw_match(options: argparse.Namespace) -> Figure | None:
    """Return the picture of a file's best match, if there is one."""
    import earmark
    from earmark.apps.plot import pictures

    with earmark.open(options.catalog, create=False, read_only=True) as catalog:
        match, kind = catalog.identify(options.file, limit=1).best, catalog.info()
    if match is None:
        return None
    return pictures.draw_match(options.file, match, make(kind["fingerprinter"], **kind["preset"]))
