"""The words of a sound as a matrix of bits; of a match, those of clip and recording and where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earmark.apps.plot.figures import plain
from earmark.apps.plot.sounds import decoded
from earmark.evaluation.canvas import new_figure
from earmark.fingerprints.protocol import Fingerprinter
from earmark.types import Layer, Match

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORD_BITS = 32
SHOWN_SECONDS = 6.0  # seconds of words that are drawn; more would be too narrow to be seen
NOTHING, ZERO, ONE, WRONG = range(4)  # states of a cell of the matrix
COLOURS = ("white", "0.85", "0.25", "tab:red")

Cells = NDArray[np.uint8]


def draw_sound(path: str | Path, maker: Fingerprinter) -> Figure:
    """Return the words in the middle of a file; raises MediaError."""
    layer = maker.extract(decoded(path, rate=maker.rate)).layers["bits"]
    middle = float(layer.frames[len(layer.frames) // 2]) * layer.frame_seconds if len(layer.frames) else 0.0
    start = max(middle - SHOWN_SECONDS / 2, 0.0)
    figure = new_figure(12, 4)
    axes = figure.add_subplot()
    show(axes, cells_at(layer, start, np.arange(frames_of(layer))), start, layer.frame_seconds)
    axes.set(title=plain(f"{Path(path).name}: a word of {WORD_BITS} bits every 12 ms"), xlabel="time, s")
    return figure


def draw_match(path: str | Path, match: Match, maker: Fingerprinter) -> Figure:
    """Return the words of a clip, of its recording, and which bits differ, in the middle of the match.

    The clip's words are those of the speed whose bits differ least. Raises MediaError when a file cannot be read.
    """
    asked = maker.extract(decoded(path, rate=maker.rate), query=True).layers["bits"]
    known = maker.extract(decoded(match.track.path, rate=maker.rate)).layers["bits"]
    start = max((match.query_start + match.query_end - SHOWN_SECONDS) / 2, match.query_start)
    there = match.reference_at(start)
    count = min(frames_of(asked), max(round((match.query_end - start) / asked.frame_seconds), 1))
    along = np.arange(count)
    recording = cells_at(known, there, np.rint(along * match.rate).astype(np.int64))
    clips = [cells_at(asked, start, along, column=column) for column in range(asked.values.shape[1])]
    clip = min(clips, key=lambda cells: np.count_nonzero(cells != recording))
    differing = clip != recording
    figure = new_figure(12, 8.5)
    titles = (
        (f"the clip: {Path(path).name}", clip, start),
        (f"the recording: {match.track.title or Path(match.track.path).name}", recording, there),
        (f"bits that differ: {differing.mean():.0%}", np.where(differing, WRONG, NOTHING).astype(np.uint8), start),
    )
    for axes, (title, cells, first) in zip(figure.subplots(3, 1), titles, strict=True):
        show(axes, cells, first, asked.frame_seconds)
        axes.set_title(plain(title))
    figure.axes[-1].set_xlabel("time, s")
    return figure


def frames_of(layer: Layer) -> int:
    """Return how many frames are shown."""
    return round(SHOWN_SECONDS / layer.frame_seconds)


def cells_at(layer: Layer, start: float, along: NDArray[np.int64], *, column: int = 0) -> Cells:
    """Return the bits of frames counted from a second on, (bits, frames), `NOTHING` where a frame has no word."""
    frames = round(start / layer.frame_seconds) + along
    rows = np.minimum(np.searchsorted(layer.frames, frames), max(len(layer.frames) - 1, 0))
    if not len(layer.frames):
        return np.full((WORD_BITS, len(along)), NOTHING, np.uint8)
    bits = layer.values[rows, column] >> np.arange(WORD_BITS, dtype=np.uint32)[:, None] & 1
    return np.where(layer.frames[rows] == frames, np.where(bits == 1, ONE, ZERO), NOTHING).astype(np.uint8)


def show(axes: Axes, cells: Cells, start: float, frame_seconds: float) -> None:
    """Draw a matrix of bits, the lowest band below."""
    from matplotlib.colors import ListedColormap

    axes.imshow(
        cells, origin="lower", aspect="auto", extent=(start, start + cells.shape[1] * frame_seconds, 0, WORD_BITS),
        cmap=ListedColormap(COLOURS), vmin=0, vmax=len(COLOURS) - 1, interpolation="nearest",
    )  # fmt: skip
    axes.set(ylabel="bit", yticks=[0, 8, 16, 24, 32])
