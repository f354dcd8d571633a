"""The picture of an answer: how far a clip agrees with the best track and with the runner-up, moment by moment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from earmark.apps.plot.figures import plain
from earmark.apps.text import clock, cut, wrap
from earmark.evaluation.canvas import new_figure
from earmark.text import escaped
from earmark.types import Explanation, Match, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

# Two colours that differ to every eye, by hue and by lightness (Okabe and Ito, 2008).
COLOURS = ("#0072B2", "#D55E00")  # of the best track and the runner-up, told apart by the colour-blind too
NAMES = ("best", "runner-up")
STYLES = ("-", (0, (5, 2)))  # line styles, since colour alone does not tell the two apart for everybody
CHANCE_DEVIATIONS = 3.0  # deviations within which all but one second in hundreds agree by chance
DARKEST_DEVIATIONS = 8.0  # deviations of half a second from which the matrix is black
TICK_SECONDS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600)  # steps of an axis; the shortest that fits is taken
MOST_TICKS = 12  # ticks of an axis
LINE_INCHES = 0.2  # height of a line of text
MOST_LINES = 8  # lines of text below the drawings
LINE_CELLS = 140  # width in narrow letters of a line below the drawings
NAME_CELLS = 44  # width in narrow letters of the name of a track or file: two stand side by side
LABEL_SHARE = 0.075  # share of the width that the time of a passage takes


def draw_explanation(name: str, explanation: Explanation, reasons: Sequence[str] = ()) -> Figure:
    """Return local evidence over the clip, and under it the similarity of the clip with each track, with its line.

    `reasons` are written below. An explanation without a trace is drawn as an empty clip.
    """
    traces = explanation.traces
    lines = written(reasons)
    figure = new_figure(11, 2.9 + 3.0 * len(traces) + LINE_INCHES * len(lines))
    rows = figure.subplots(
        1 + len(traces), 1, sharex=True, squeeze=False, height_ratios=[2.0, *([3.0] * len(traces))],
    )[:, 0]  # fmt: skip
    heading(figure, name, explanation, lines)
    curves(rows[0], traces)
    images = [matrix(axes, trace, number) for number, (axes, trace) in enumerate(zip(rows[1:], traces, strict=True))]
    if images:
        figure.colorbar(
            images[0], ax=list(rows[1:]), aspect=40, pad=0.01,
            label="likeness, standard deviations",
        )  # fmt: skip
    rows[-1].set_xlabel("time in the clip, m:ss")
    start, end = 0.0, explanation.answer.seconds
    if traces:  # of a long clip, a part
        half = float(traces[0].seconds[1] - traces[0].seconds[0]) / 2
        start, end = float(traces[0].seconds[0]) - half, min(float(traces[0].seconds[-1]) + half, end)
    rows[-1].set_xlim(start, end)
    show_clock(rows[-1].xaxis, end - start)
    return figure


def heading(figure: Figure, name: str, explanation: Explanation, lines: Sequence[str]) -> None:
    """Write what was answered above the drawings, and why below them."""
    best, count = explanation.answer.best, len(explanation.answer.matches)
    verdict = "not found"
    if best is not None:
        verdict = f"{short(title(best))}, confidence {best.confidence:.3f}" + (f", {count} passages" * (count > 1))
    figure.suptitle(f"{short(Path(name).name)}: {verdict}", x=0.01, ha="left", weight="bold", size=12)
    if lines:
        text = "\n".join(lines).replace("$", r"\$")
        figure.supxlabel(text, x=0.01, ha="left", size=8.5, color="0.25", linespacing=1.5)


def curves(axes: Axes, traces: Sequence[Trace]) -> None:
    """Draw the agreement along each line over time, strong where a passage was told."""
    axes.axhspan(-CHANCE_DEVIATIONS, CHANCE_DEVIATIONS, color="0.92", linewidth=0, label="by chance")
    for number, trace in reversed(list(enumerate(traces))):
        for place, (match, agreement) in enumerate(zip(trace.matches, trace.agreement, strict=True)):
            inside = (trace.seconds >= match.query_start) & (trace.seconds <= match.query_end)
            label = None if place else f"{NAMES[number]}: {short(title(match))}"
            axes.plot(trace.seconds, agreement, color=COLOURS[number], linewidth=0.7, alpha=0.45)
            axes.plot(
                trace.seconds, np.where(inside, agreement, np.nan), color=COLOURS[number], linewidth=1.8,
                linestyle=STYLES[number], label=label,
            )  # fmt: skip
    if traces:
        passages(axes, traces[0])
    axes.set_ylabel("agreement of a second,\nstandard deviations")
    axes.margins(y=0.12)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], labels[::-1], loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, frameon=False,
        borderaxespad=0.2, fontsize=9,
    )  # fmt: skip
    tidy(axes)


def passages(axes: Axes, trace: Trace) -> None:
    """Shade the passages of the best track, with the time of the recording at which each begins."""
    width = float(trace.seconds[-1] - trace.seconds[0])
    for match in trace.matches:
        axes.axvspan(match.query_start, match.query_end, color=COLOURS[0], alpha=0.09, linewidth=0)
        for edge in (match.query_start, match.query_end):
            axes.axvline(edge, color=COLOURS[0], linewidth=0.8, alpha=0.6)
        if match.query_end - match.query_start > LABEL_SHARE * width:
            axes.annotate(
                f"from {clock(match.reference_start)}", (match.query_start, 1), xytext=(4, -4), size=8,
                color=COLOURS[0], xycoords=("data", "axes fraction"), textcoords="offset points", va="top", ha="left",
            )  # fmt: skip


def matrix(axes: Axes, trace: Trace, number: int) -> AxesImage:
    """Draw the similarity of the clip, along, with a track, upward, and the lines of its passages."""
    rows, columns = trace.similarity.shape
    ends = trace.start + rows * trace.step_seconds, trace.reference_start + columns * trace.step_seconds
    image = axes.imshow(
        trace.similarity.T, origin="lower", aspect="auto", cmap="Greys",
        extent=(trace.start, ends[0], trace.reference_start, ends[1]),
        vmin=0, vmax=DARKEST_DEVIATIONS, interpolation="nearest",
    )  # fmt: skip
    for match in trace.matches:
        along, up = (match.query_start, match.query_end), (match.reference_start, match.reference_end)
        axes.plot(along, up, color=COLOURS[number], linewidth=5, alpha=0.35, solid_capstyle="butt")
        axes.plot(along, up, color=COLOURS[number], linestyle="none", marker="o", markersize=4.5, clip_on=False)
    first = trace.matches[0]
    axes.set_ylim(trace.reference_start, ends[1])
    axes.set_ylabel("time in the recording, m:ss")
    axes.set_title(
        f"{NAMES[number]}: {short(title(first))}, confidence {first.confidence:.3f}", loc="left", size=10,
        color=COLOURS[number],
    )  # fmt: skip
    show_clock(axes.yaxis, columns * trace.step_seconds, most=7)
    tidy(axes)
    return image


def show_clock(axis: Axis, seconds: float, *, most: int = MOST_TICKS) -> None:
    """Write times as m:ss along an axis of so many seconds."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    step = next((one for one in TICK_SECONDS if seconds / one <= most), TICK_SECONDS[-1])
    axis.set_major_locator(MultipleLocator(step))
    axis.set_major_formatter(FuncFormatter(lambda value, _: minutes(float(value), exact=step < 1)))


def minutes(seconds: float, *, exact: bool) -> str:
    """Return 65.5 as '1:05', or '1:05.5' where that is to be exact; minus before a beginning."""
    sign, seconds = ("−" if seconds < 0 else ""), abs(seconds)
    whole, rest = divmod(seconds if exact else round(seconds), 60)
    return f"{sign}{int(whole)}:{rest:04.1f}" if exact else f"{sign}{int(whole)}:{int(rest):02d}"


def title(match: Match) -> str:
    """Return 'Artist - Title', or the file's name."""
    track = match.track
    return " - ".join(part for part in (track.artist, track.title or Path(track.path).name) if part)


def written(reasons: Sequence[str]) -> list[str]:
    """Return reasons as lines of a picture: what belongs to a match, which is indented, goes on in its line."""
    together = list[str]()
    for reason in map(escaped, reasons):
        if reason.startswith(" ") and together:
            together[-1] += "; " + reason.strip()
        else:
            together.append(reason)
    lines = [line for one in together for line in wrap(one, LINE_CELLS, indent="    ")]
    return lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], "…"]


def short(text: str) -> str:
    """Return the beginning of a name as matplotlib shows it as it is."""
    return plain(cut(text, NAME_CELLS))


def tidy(axes: Axes) -> None:
    """Leave out the lines of the frame that say nothing."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    axes.tick_params(axis="x", labelbottom=True)
