"""Spectral images, and the signs of their largest wavelets that a fingerprint keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from earmark.apps.plot.figures import plain
from earmark.apps.plot.sounds import decoded
from earmark.apps.text import clock
from earmark.audio.stft import FrontEnd, PowerStream
from earmark.evaluation.canvas import new_figure
from earmark.fingerprints.wavelets import Bands, Images, ImageShape, haar, largest_signs, silent
from earmark.types import Match, Samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUIETEST = 1e-10  # power of a band before the logarithm
RANGE_DECIBELS = 60.0  # dB from black, the loudest, to white
SHOWN_SECONDS = 12.0  # seconds of sound around the image
CHUNK_FRAMES = 256  # frames of the spectrogram that are made at a time
MARKER_AREA = 7  # square points of a sign


class Shape(Protocol):
    """The numbers of a fingerprint of images."""

    @property
    def front_end(self) -> FrontEnd:
        """Of the spectrogram that bands are summed from."""

    @property
    def image(self) -> ImageShape:
        """Of an image."""

    @property
    def stride(self) -> int:
        """Frames from one stored image to the next."""


class ImageMaker(Protocol):
    """A fingerprinter of images, as its pictures see it."""

    @property
    def rate(self) -> int:
        """Hz of the samples that it takes."""

    @property
    def shape(self) -> Shape:
        """Its numbers."""

    def bands_of(self, spectra: NDArray[np.float32]) -> Bands:
        """Return the bands of power spectra, shape (frames, bins)."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One spectral image, and what is kept of it."""

    name: str
    start: float  # second at which it begins
    image: NDArray[np.float32]  # (bands, frames), dB
    signs: NDArray[np.int8]  # (bands, frames): 1 and -1 of the wavelets that are kept
    around: NDArray[np.float32]  # (bands, frames), dB: the image and what is before and after it
    around_start: float


def draw_sound(path: str | Path, maker: ImageMaker) -> Figure:
    """Return a file's image in the middle of what is heard, its wavelets, and what the kept signs alone are as a sound.

    Raises MediaError.
    """
    bands = bands_of_samples(decoded(path, rate=maker.rate), maker)
    picture = picture_of(Path(path).name, bands, middle_image(bands, maker), maker)
    figure = new_figure(11, 7.5)
    grid = figure.add_gridspec(3, 2)
    above = figure.add_subplot(grid[0, :])
    show_bands(above, picture.around, picture.around_start, maker)
    end = picture.start + picture.image.shape[1] * maker.shape.front_end.frame_seconds
    above.axvspan(picture.start, end, facecolor="none", edgecolor="tab:red", linewidth=1.5)
    above.set(
        title=plain(f"{picture.name}: {maker.shape.image.bands} bands, one image framed"),
        xlabel="time, s",
        ylabel="frequency, Hz",
    )
    image, kept = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[2, 0])
    show_bands(image, picture.image, picture.start, maker)
    image.set(title=f"the image at {clock(picture.start)}", ylabel="Hz")
    show_bands(kept, from_signs(picture.signs), picture.start, maker, decibels=False)
    kept.set(title="what the kept signs alone say of it", xlabel="time, s", ylabel="frequency, Hz")
    signs = figure.add_subplot(grid[1:, 1])
    show_signs(signs, [("positive", "tab:red", picture.signs > 0), ("negative", "tab:blue", picture.signs < 0)])
    signs.set_title(f"its {np.count_nonzero(picture.signs)} largest wavelets of {picture.signs.size:,}")
    return figure


def draw_match(path: str | Path, match: Match, maker: ImageMaker) -> Figure:
    """Return the images of a clip and of its recording in the middle of the match, and the signs that both keep.

    Raises MediaError when either file cannot be read.
    """
    shape = maker.shape
    frame = shape.front_end.frame_seconds
    clip = bands_of_samples(decoded(path, rate=maker.rate), maker)
    recording = bands_of_samples(decoded(match.track.path, rate=maker.rate), maker)
    half = shape.image.frames * frame / 2
    middle = (match.query_start + match.query_end) / 2
    there = match.reference_at(middle)
    title = " - ".join(part for part in (match.track.artist, match.track.title or Path(match.track.path).name) if part)
    asked = picture_of(Path(path).name, clip, round((middle - half) / frame), maker)
    known = picture_of(title, recording, round((there - half) / frame), maker)
    figure = new_figure(13, 7)
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 2))
    for row, (what, one) in enumerate((("the clip", asked), ("the recording", known))):
        axes = figure.add_subplot(grid[row, 0])
        show_bands(axes, one.image, one.start, maker)
        axes.set(
            title=plain(f"{what}: {one.name}, image at {clock(one.start)}"), xlabel="time, s", ylabel="frequency, Hz"
        )
    both = (asked.signs == known.signs) & (asked.signs != 0)
    signs = figure.add_subplot(grid[:, 1])
    show_signs(signs, [
        ("the clip only", "0.75", (asked.signs != 0) & ~both),
        ("the recording only", "tab:blue", (known.signs != 0) & ~both),
        ("both", "tab:red", both),
    ])  # fmt: skip
    share = match.evidence.get("share", 0.0)
    signs.set_title(plain(f"signs that are kept; {share:.0%} of all entries are equal, {match.confidence:.3f} sure"))
    return figure


def bands_of_samples(samples: Samples, maker: ImageMaker) -> Bands:
    """Return the bands of samples, (frames, bands), the last repeated where there is less than one image."""
    shape = maker.shape
    power = PowerStream(shape.front_end, frames=CHUNK_FRAMES)
    chunks = [maker.bands_of(spectra) for spectra in (*power.push(samples), *power.rest())]
    bands = np.concatenate(chunks) if chunks else maker.bands_of(np.zeros((1, bins_of(shape.front_end)), np.float32))
    return np.pad(bands, ((0, max(shape.image.frames - len(bands), 0)), (0, 0)), mode="edge")


def bins_of(front_end: FrontEnd) -> int:
    """Return how many bins of a spectrum are kept."""
    return front_end.high_bin - front_end.low_bin


def middle_image(bands: NDArray[np.float32], maker: ImageMaker) -> int:
    """Return the first frame of the stored image in the middle of those that are heard, or of all."""
    starts = np.arange(0, len(bands) - maker.shape.image.frames + 1, maker.shape.stride)
    heard = starts[~silent(images_at(bands, starts, maker), maker.shape.front_end, maker.shape.image)]
    chosen = heard if len(heard) else starts
    return int(chosen[len(chosen) // 2])


def images_at(bands: NDArray[np.float32], starts: NDArray[Any], maker: ImageMaker) -> Images:
    """Return the images that begin at these frames, (n, bands, frames)."""
    images: Images = np.lib.stride_tricks.sliding_window_view(bands, maker.shape.image.frames, axis=0)[starts]
    return images


def picture_of(name: str, bands: NDArray[np.float32], start: int, maker: ImageMaker) -> Picture:
    """Return the image that begins at a frame, or at the nearest one that has a whole image."""
    shape = maker.shape
    start = min(max(start, 0), len(bands) - shape.image.frames)
    image = images_at(bands, np.array([start]), maker)
    [kept] = largest_signs(image, shape.image)
    signs = np.zeros(shape.image.bands * shape.image.frames, np.int8)
    signs[kept // 2] = np.where(kept % 2, 1, -1)
    frame = shape.front_end.frame_seconds
    reach = round((SHOWN_SECONDS / frame - shape.image.frames) / 2)
    first = max(start - reach, 0)
    around = decibels_of(bands[first : start + shape.image.frames + reach].T)
    return Picture(name, start * frame, decibels_of(image[0]), signs.reshape(image.shape[1:]), around, first * frame)


def decibels_of(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return power in decibels."""
    decibels: NDArray[np.float32] = 10 * np.log10(np.maximum(power, np.float32(QUIETEST)))
    return decibels


def from_signs(signs: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return the image whose wavelets are these signs, (bands, frames)."""
    bands, frames = (haar(np.eye(length, dtype=np.float32)[:, None])[:, 0] for length in signs.shape)
    image: NDArray[np.float32] = bands @ signs.astype(np.float32) @ frames.T
    return image


def show_bands(
    axes: Axes, values: NDArray[np.float32], start: float, maker: ImageMaker, *, decibels: bool = True
) -> None:
    """Draw bands over time, on their logarithmic scale."""
    shape = maker.shape
    end = start + values.shape[1] * shape.front_end.frame_seconds
    top = float(values.max())
    limits = (top - RANGE_DECIBELS, top) if decibels else (float(values.min()), top)
    axes.imshow(
        values, origin="lower", aspect="auto", extent=(start, end, 0, shape.image.bands), cmap="Greys",
        vmin=limits[0], vmax=limits[1], interpolation="nearest",
    )  # fmt: skip
    places = np.arange(0, shape.image.bands + 1, 8)
    hertz = shape.image.low_hertz * (shape.image.high_hertz / shape.image.low_hertz) ** (places / shape.image.bands)
    axes.set_yticks(places, [f"{one:,.0f}" for one in hertz])


def show_signs(axes: Axes, kinds: list[tuple[str, str, NDArray[np.bool_]]]) -> None:
    """Draw wavelets as points: (what they are, colour, (bands, frames))."""
    for label, color, where in kinds:
        rows, columns = np.nonzero(where)
        axes.scatter(columns + 1, rows + 1, s=MARKER_AREA, color=color, label=f"{label}: {len(rows)}")
    bands, frames = kinds[0][2].shape
    axes.set(xscale="log", yscale="log", xlim=(0.8, 1.2 * frames), ylim=(0.8, 1.2 * bands))
    for axis, length in ((axes.xaxis, frames), (axes.yaxis, bands)):
        edges = 2 ** np.arange(int(np.log2(length)) + 1)  # where finer wavelets begin
        axis.set_ticks(edges, [str(edge) for edge in edges])
        axis.set_ticks([], minor=True)
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.set(xlabel="wavelet along time, from coarse to fine", ylabel="wavelet along frequency")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=len(kinds), frameon=False)
