"""Drawings: a spectrogram with its landmarks, a match with the diagonal that won. Needs the extra `plot`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.evaluation.canvas import new_figure
from earmark.types import Samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WINDOW_SECONDS = 0.064  # width of a bar of the spectrogram; long enough to part the tones of a chord
RANGE_DECIBELS = 70.0  # dB from black, the loudest, to white
LONGEST_TITLE = 72  # characters that fit above a drawing


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
    caption: str


def draw_sound(sound: Sound) -> Figure:
    """Return a spectrogram with the landmarks on it."""
    figure = new_figure(11, 4.5)
    axes = figure.add_subplot()
    spectrogram(axes, sound)
    rings(axes, sound, "tab:red")
    axes.set(title=plain(f"{sound.name}: {len(sound.peak_seconds):,} landmarks"), xlabel="s", ylabel="Hz")
    return figure


def draw_match(query: Sound, reference: Sound, diagonal: Diagonal) -> Figure:
    """Return the clip above, the piece of the recording under it that it comes from, and all hits beside them."""
    figure = new_figure(13, 7)
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 2))
    above, below = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    span = query.seconds * diagonal.speed
    spectrogram(above, query)
    rings(above, query, "tab:red")
    above.set(title=plain(f"the clip: {query.name}"), xlim=(0, query.seconds), ylabel="Hz")
    spectrogram(below, reference)
    rings(below, reference, "tab:blue")
    moved = diagonal.start + query.peak_seconds * diagonal.speed
    below.scatter(moved, query.peak_hertz, marker="x", s=12, linewidths=0.7, color="tab:red")
    below.set(xlim=(diagonal.start, diagonal.start + span), ylabel="Hz")
    below.set_title(plain(f"the recording: {reference.name}"))
    below.set_xlabel("s; landmarks of the recording (o) and of the clip (x)")
    hits(figure.add_subplot(grid[:, 1]), query, reference, diagonal)
    return figure


def rings(axes: Axes, sound: Sound, color: str) -> None:
    """Draw a ring around every landmark."""
    axes.scatter(sound.peak_seconds, sound.peak_hertz, s=9, linewidths=0.6, facecolors="none", edgecolors=color)


def hits(axes: Axes, query: Sound, reference: Sound, diagonal: Diagonal) -> None:
    """Draw every hit as a point: chance is everywhere, the truth is a line."""
    times, places, line = diagonal.query_seconds, diagonal.reference_seconds, diagonal.on_line
    axes.scatter(times[~line], places[~line], s=5, color="0.65", label=f"{np.count_nonzero(~line):,} by chance")
    axes.scatter(times[line], places[line], s=12, color="tab:red", label=f"{np.count_nonzero(line):,} on the line")
    axes.set(xlim=(0, query.seconds), ylim=(0, reference.seconds), xlabel="s in the clip", ylabel="s in the recording")
    axes.set_title(plain(diagonal.caption))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, frameon=False)


def spectrogram(axes: Axes, sound: Sound) -> None:
    """Draw the power of a sound over time and frequency, in decibels below its loudest."""
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    length = round(WINDOW_SECONDS * sound.rate)
    transform = ShortTimeFFT(hann(length, sym=False), hop=length // 2, fs=sound.rate)
    power = transform.spectrogram(sound.samples)
    decibels = 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-20), 1e-20))
    left, right, bottom, top = transform.extent(len(sound.samples))
    axes.imshow(
        decibels, origin="lower", aspect="auto", extent=(left, right, bottom, top), cmap="Greys",
        vmin=-RANGE_DECIBELS, vmax=0, interpolation="nearest",
    )  # fmt: skip
    axes.set(xlim=(0, sound.seconds), ylim=(0, min(top, 1.15 * max([*sound.peak_hertz, 1000.0]))))


def plain(text: str) -> str:
    """Return text that matplotlib shows as it is, in one line: no formulas, no control characters."""
    from earmark.text import escaped

    shown = escaped(text)
    shown = shown if len(shown) <= LONGEST_TITLE else shown[: LONGEST_TITLE - 1] + "…"
    return shown.replace("$", r"\$")


def check(path: str | Path) -> None:
    """Raise OptionError when nothing can be drawn, or not in the format that the name's ending says."""
    formats = new_figure(1, 1).canvas.get_supported_filetypes()
    if Path(path).suffix.removeprefix(".").lower() not in formats:
        raise OptionError(f"{str(path)!r} is no picture's name; end it with one of {', '.join(sorted(formats))}")
