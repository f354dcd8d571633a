"""`earmark plot`: draw what a file's fingerprint sees, or how a clip meets a recording."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.apps.cli.failures import DONE, NOT_FOUND, error_line
from earmark.apps.cli.options import add_output
from earmark.apps.cli.output import Output

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("file", metavar="FILE", help="an audio or video file")
    parser.add_argument(
        "--catalog", metavar="FOLDER", help="identify FILE in this catalog and draw the match instead of FILE alone"
    )
    parser.add_argument(
        "--out", metavar="PICTURE", help="where the picture goes (default: FILE's name with .png, here)"
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Write the picture; exit status 1 when a match was asked for and there is none."""
    from earmark.apps.plot import figures
    from earmark.evaluation import canvas

    output = Output.of(options)
    target = options.out or f"{Path(options.file).stem}.png"
    figures.check(target)
    figure = draw_match(options) if options.catalog else draw_sound(options)
    if figure is None:
        error_line(f"{options.file}: no match to draw in {options.catalog}")
        return NOT_FOUND
    canvas.save(figure, target)
    output.record({"picture": target})
    output.line(f"drew {target}")
    return DONE


def draw_sound(options: argparse.Namespace) -> Figure:
    """Return the picture of a file."""
    from earmark.apps.plot import figures, sounds

    return figures.draw_sound(sounds.load_sound(options.file))


def draw_match(options: argparse.Namespace) -> Figure | None:
    """Return the picture of a file's best match, if there is one."""
    import earmark
    from earmark.apps.plot import figures, sounds

    with earmark.open(options.catalog, create=False, read_only=True) as catalog:
        match = catalog.identify(options.file, limit=1).best
    if match is None:
        return None
    clip = sounds.decoded(options.file)
    return figures.draw_match(*sounds.match_view(clip, sounds.RATE, match, name=Path(options.file).name))
