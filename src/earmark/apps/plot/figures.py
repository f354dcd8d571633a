"""Drawings: a spectrogram with its landmarks, a match with the diagonal that won. Needs the extra `plot`."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.apps.text import cut
from earmark.errors import OptionError
from earmark.evaluation.canvas import new_figure
from earmark.text import escaped
from earmark.types import Samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

WINDOW_SECONDS = 0.064  # width of a bar of the spectrogram; long enough to part the tones of a chord
RANGE_DECIBELS = 70.0  # dB from black, the loudest, to white
TITLE_CELLS = 72  # narrow letters that fit above a drawing; wide ones count twice
LONG_SECONDS = 180.0  # seconds of a recording from which minutes are counted
MOST_TICKS = 12  # ticks of an axis
MOST_COLUMNS = 4_000  # columns of a spectrogram, more than a picture is wide
MARGIN_SHARE = 0.1  # share of a match that is shown before and after it
LEAST_ROOM_SECONDS = 10.0  # seconds that are shown around a match
LEFT_TO_RIGHT = "\u200e"  # mark at the beginning of a text that says how it runs (Unicode Standard Annex 9)
LEVEL = "level, dB, the loudest is 0"


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """What is drawn of a recording or a clip."""

    name: str
    samples: Samples  # (n,)
    rate: int
    peak_seconds: NDArray[np.float64]  # (k,) places of its landmarks
    peak_hertz: NDArray[np.float64]  # (k,)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True, eq=False)
class Diagonal:
    """The hits of a clip in one recording, and the line that won."""

    query_seconds: NDArray[np.float64]  # (h,)
    reference_seconds: NDArray[np.float64]  # (h,)
    on_line: NDArray[np.bool_]  # (h,)
    start: float  # second of the recording at which the clip begins
    speed: float
    caption: str  # one line or two
    matched: tuple[float, float]  # seconds of the clip between which the recording is heard


def draw_sound(sound: Sound) -> Figure:
    """Return a spectrogram with the peaks on it; of a long recording they are small dots."""
    figure = new_figure(11, 4.5)
    axes = figure.add_subplot()
    image = spectrogram(axes, sound)
    rings(axes, sound, "tab:red")
    count = f"{len(sound.peak_seconds):,} peaks (red)"
    axes.set(title=plain(f"{sound.name}: spectrogram and {count}"))
    label_axes(axes, "time", sound.seconds)
    figure.colorbar(image, ax=axes, pad=0.01, label=LEVEL)
    return figure


def label_axes(axes: Axes, what: str, seconds: float) -> None:
    """Name both axes, with minutes on that of a long recording."""
    from matplotlib.ticker import FuncFormatter

    is_long = seconds > LONG_SECONDS
    if is_long:
        axes.xaxis.set_major_locator(_minutes(seconds))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 60:g}"))
    axes.set_xlabel(f"{what}, {'min' if is_long else 's'}")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}"))
    axes.set_ylabel("frequency, kHz")


def _minutes(seconds: float) -> Any:
    """Return ticks at whole minutes, a dozen at most."""
    from matplotlib.ticker import MultipleLocator

    step = next((one for one in (0.5, 1, 2, 5, 10, 15, 30, 60) if seconds / 60 / one <= MOST_TICKS), 120)
    return MultipleLocator(60 * step)


def draw_match(query: Sound, reference: Sound, diagonal: Diagonal) -> Figure:
    """Return the clip above, the piece of the recording under it that it comes from, and all hits beside them."""
    figure = new_figure(13, 7)
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 2))
    above, below = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    first, last = (diagonal.start + second * diagonal.speed for second in diagonal.matched)
    margin = MARGIN_SHARE * (last - first)
    spectrogram(above, query)
    rings(above, query, "tab:red")
    mark(above, *diagonal.matched)
    above.set(title=plain(f"the clip: {query.name}, its match in the frame"), xlim=(0, query.seconds))
    label_axes(above, "time in the clip", query.seconds)
    image = spectrogram(below, reference)
    rings(below, reference, "tab:blue")
    moved = diagonal.start + query.peak_seconds * diagonal.speed
    inside = (moved >= first) & (moved <= last)
    below.scatter(moved[inside], query.peak_hertz[inside], marker="x", s=12, linewidths=0.7, color="tab:red")
    mark(below, first, last)
    below.set(xlim=(max(first - margin, 0.0), min(last + margin, reference.seconds)))
    below.set_title(plain(f"the recording: {reference.name}") + "\npeaks of it (o) and of the clip (x)")
    label_axes(below, "time in the recording", last - first)
    figure.colorbar(image, ax=[above, below], pad=0.01, label=LEVEL)
    hits(figure.add_subplot(grid[:, 1]), query, reference, diagonal)
    return figure


def mark(axes: Axes, first: float, last: float) -> None:
    """Put a frame around the time between two seconds."""
    axes.axvspan(first, last, facecolor="none", edgecolor="tab:orange", linewidth=2.5, zorder=3)


def rings(axes: Axes, sound: Sound, color: str) -> None:
    """Draw a ring around every peak."""
    if sound.seconds > LONG_SECONDS:
        axes.scatter(sound.peak_seconds, sound.peak_hertz, s=0.4, linewidths=0, color=color, alpha=0.5)
    else:
        axes.scatter(sound.peak_seconds, sound.peak_hertz, s=9, linewidths=0.6, facecolors="none", edgecolors=color)


def hits(axes: Axes, query: Sound, reference: Sound, diagonal: Diagonal) -> None:
    """Draw every hit as a point: chance is everywhere, the truth is a line."""
    times, places, line = diagonal.query_seconds, diagonal.reference_seconds, diagonal.on_line
    axes.scatter(times[~line], places[~line], s=5, color="0.65", label=f"{np.count_nonzero(~line):,} by chance")
    axes.scatter(times[line], places[line], s=12, color="tab:red", label=f"{np.count_nonzero(line):,} on the line")
    first, last = diagonal.start, diagonal.start + query.seconds * diagonal.speed
    room = max(last - first, LEAST_ROOM_SECONDS)  # the window around the match, where the recording is longer
    limits = max(first - room, 0.0), min(last + room, reference.seconds)
    axes.set(xlim=(0, query.seconds), ylim=limits, xlabel="time in the clip, s", ylabel="time in the recording, s")
    axes.set_title("\n".join(map(plain, diagonal.caption.splitlines())))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, frameon=False)


def spectrogram(axes: Axes, sound: Sound) -> AxesImage:
    """Draw the power of a sound over time and frequency, in decibels below its loudest."""
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    length = round(WINDOW_SECONDS * sound.rate)
    hop = max(length // 2, len(sound.samples) // MOST_COLUMNS)
    transform = ShortTimeFFT(hann(length, sym=False), hop=hop, fs=sound.rate)
    power = transform.spectrogram(sound.samples)
    decibels = 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-20), 1e-20))
    left, right, bottom, top = transform.extent(len(sound.samples))
    image = axes.imshow(
        decibels, origin="lower", aspect="auto", extent=(left, right, bottom, top), cmap="Greys",
        vmin=-RANGE_DECIBELS, vmax=0, interpolation="nearest",
    )  # fmt: skip
    axes.set(xlim=(0, sound.seconds), ylim=(0, min(top, 1.15 * max([*sound.peak_hertz, 1000.0]))))
    return image


def plain(text: str) -> str:
    """Return text that matplotlib shows as it is, in one line: no formulas, no control characters.

    A name in Arabic or Hebrew does not turn the words around it.
    """
    shown = cut(escaped(text), TITLE_CELLS).replace("$", r"\$")
    is_turned = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in shown)
    return f"{LEFT_TO_RIGHT}{shown}" if is_turned else shown


def check(path: str | Path) -> None:
    """Raise OptionError when nothing can be drawn, or not in the format that the name's ending says."""
    formats = new_figure(1, 1).canvas.get_supported_filetypes()
    if Path(path).suffix.removeprefix(".").lower() not in formats:
        raise OptionError(f"{str(path)!r} is no picture's name; end it with one of {', '.join(sorted(formats))}")
