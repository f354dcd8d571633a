"""Bits of a clip laid on a recording's: how few differ along a diagonal (Haitsma and Kalker, ISMIR 2002, s. 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from earmark.match.protocol import (
    SAME_FACTOR,
    Alignment,
    Candidate,
    Others,
    Placement,
    Scores,
    Similarities,
    SweepsOneByOne,
)
from earmark.types import Frames, Hits, Layer

Line = tuple[float, int]  # speed, and the column of the clip's words that was made for its pitch

WORD_BITS = 32
COARSE_STEP = 3  # frames of the clip from one that is compared in the first pass to the next: neighbours say the same
CLOSELY = 8  # candidates that are compared with every frame
REACH_STEP = 2  # frames from one place that is tried in the first pass to the next
SWEPT_STEP = 6  # frames of the clip from one that a sweep compares to the next; those between say a tenth more
SWEPT_PLACES = 2  # frames from one place that a sweep tries to the next: a word differs from its neighbour's by 7 %
SWEPT_APART = 16  # frames between two places of one reference that a sweep returns
SPEED_STEP = 0.01  # change of speed from one line that is tried to the next; it moves the ends of 5 s by two frames
FINE_SPEED, FINE_STEPS = 0.0025, 3  # change of speed, and steps to either side, by which the best place is fitted
SAME_REACH = 4  # frames to either side in which two references are compared
AGREEING_QUANTILE = 0.25  # quantile of the frames' shares of wrong bits that a passage which agrees is taken to have
MOST_TEMPO = 0.05  # largest change of tempo that is tried at the pitch of the recording
WIDE_TEMPO = 0.1  # largest change of tempo that is tried when larger ones are asked for
NO_PLACE = np.iinfo(np.uint16).max  # wrong bits of a place that is taken
LAID_FRAMES, LAID_APART = 8, 4  # frames of a step of sequences, and between its words that are compared
DUPLICATE_RATE = 0.2  # bit error rate: two encodings of a recording have less, other music far more


@dataclass(frozen=True, slots=True)
class BitSettings:
    """How bits are compared."""

    speeds: tuple[float, ...]  # of the clip, for which its words were made, one column each; the first is 1
    correlated: float  # standard deviation of chance over that of independent bits
    reach_seconds: float  # to either side of a candidate's place that others are tried
    frame_centre_seconds: float  # from the beginning of a frame to its middle, which is what it stands for


@dataclass(frozen=True, slots=True)
class BitPlace:
    """Where the frames of a window lie on a track: frame q on `start` + `speed` x q."""

    start: float
    speed: float
    column: int  # of the clip's words
    rate: float  # share of bits that differ; frames beside the track count as half


class BitComparison(SweepsOneByOne):
    """The bits of one window; implements `Sweepable` and `Sequential`."""

    def __init__(
        self,
        layer: Layer,
        figures: Sequence[str],
        *,
        settings: BitSettings,
        wide: bool,
        hits: Callable[[], Hits] | None = None,
    ) -> None:
        """`wide` also tries larger changes of tempo. `hits` say nothing here."""
        self._settings, self._frame, self._figures = settings, layer.frame_seconds, frozenset(figures)
        self._frames, self._words = layer.frames, layer.values
        self._middle = int(self._frames[0] + self._frames[-1]) // 2
        reach = round(settings.reach_seconds / self._frame)
        lines = _lines(settings.speeds[: layer.values.shape[1]], WIDE_TEMPO if wide else MOST_TEMPO)
        self._coarse = self._grid(lines, range(-reach, reach + 1, REACH_STEP), every=COARSE_STEP)

    def near(self, references: Sequence[Layer], candidates: Sequence[Candidate], *, own: bool) -> list[Placement]:
        """Return the best placement near each candidate; the best `CLOSELY` are compared with every frame."""
        middles = [one.start / self._frame + self._middle for one in candidates]
        places = [self._coarse.best(layer, middle) for layer, middle in zip(references, middles, strict=True)]
        for number in sorted(range(len(places)), key=lambda number: places[number].rate)[:CLOSELY]:
            places[number] = self._finer(references[number], places[number], steps=0)
        return [
            Placement(place.start * self._frame, place.speed, {"z": self._z(place.rate)}, place) for place in places
        ]

    def fit(self, reference: Layer, placement: Placement, *, measuring: bool = True) -> Alignment:
        """Return the alignment at a placement, its speed refined, and the part of the window whose bits agree."""
        place = self._finer(reference, placement.detail, steps=FINE_STEPS)
        first, last = _agreeing(self._wrong(reference, place))
        centre = self._settings.frame_centre_seconds
        return Alignment(
            start=place.start * self._frame + (1 - place.speed) * centre,
            speed=place.speed,
            pitch=self._settings.speeds[place.column],
            position_error=self._frame / float(np.sqrt(12)),
            first=float(self._frames[first]) * self._frame,
            last=float(self._frames[last]) * self._frame + 2 * centre,
            figures={"bit_error_rate": round(place.rate, 4), "z": round(self._z(place.rate), 3)},
            is_measured=abs(place.speed - 1) <= SAME_FACTOR and self._settings.speeds[place.column] == 1,
        )

    def evidence(self, candidate: Candidate, alignment: Alignment, others: Others) -> Mapping[str, float]:
        """Return what was asked for of: bit_error_rate, z, rival_z."""
        figures = {**alignment.figures, "rival_z": round(others.largest("z"), 3)}
        return {name: figures[name] for name in figures if name in self._figures}

    def over_time(self, reference: Layer, alignment: Alignment) -> Scores:
        """Return how many bits of each frame are right, beyond the half that are by chance."""
        settings, centre = self._settings, self._settings.frame_centre_seconds
        speeds = settings.speeds[: self._words.shape[1]]
        column = min(range(len(speeds)), key=lambda number: abs(speeds[number] - alignment.pitch))
        start = (alignment.start - (1 - alignment.speed) * centre) / self._frame
        wrong = self._wrong(reference, BitPlace(start, alignment.speed, column, 0.5))
        values = (0.5 - wrong) * 2 * np.sqrt(WORD_BITS)
        return Scores((self._frames * self._frame + centre).astype(np.float64), values, settings.correlated**2)

    def same(self, one: tuple[Layer, Placement], other: tuple[Layer, Placement]) -> bool:
        """Return whether two references hold the same sound under the window."""
        (layer, placement), (other_layer, other_placement) = one, other
        frames = np.arange(int(self._frames[0]), int(self._frames[-1]) + 1, dtype=np.int32)
        words, known = _dense(layer, round(placement.detail.start) + int(frames[0]), len(frames))
        if not known.any():
            return False
        part = _Grid(frames[known], words[known][None], ((1.0, 0),), range(-SAME_REACH, SAME_REACH + 1))
        middle = other_placement.detail.start + int(frames[known][0] + frames[known][-1]) // 2
        return part.best(other_layer, middle).rate < DUPLICATE_RATE

    @property
    def seconds(self) -> float:
        """Length of the window, from its first word to its last."""
        return int(self._frames[-1] - self._frames[0]) * self._frame

    def similarities(self, reference: Layer) -> Similarities:
        """Return the share of right bits of two words in each step of the window and of the reference."""
        count = int(reference.frames[-1]) + 1 if len(reference.frames) else 0
        clip = Layer(self._frames, self._words[:, :1], self._frame)
        rows, columns = _steps(clip, int(self._frames[-1]) + 1), _steps(reference, count)
        right = np.zeros((rows[0].shape[1], columns[0].shape[1]), np.float32)
        for word, known, other, is_known in zip(*rows, *columns, strict=True):
            shares = 1 - np.bitwise_count(word[:, None] ^ other).astype(np.float32) / WORD_BITS
            shares[~known] = np.nan
            shares[:, ~is_known] = np.nan
            right += shares / len(rows[0])
        step, centre = LAID_FRAMES * self._frame, self._settings.frame_centre_seconds
        return Similarities(right, step, step / 2 + centre, step / 2 + centre)

    def sweep_cost(self, reference: Layer) -> int:
        """Return how many words a sweep of the reference compares: a billion and more in a second."""
        return self._sweep.cost(reference)

    def sweep(self, reference: Layer, *, limit: int = 1) -> list[Placement]:
        """Return the best placements on the whole of a reference, at the clip's own speed, best first."""
        places = self._sweep.best(reference, limit)
        return [Placement(place.start * self._frame, 1.0, {"z": self._z(place.rate)}, place) for place in places]

    @cached_property
    def _sweep(self) -> _Sweep:
        return _Sweep(self._frames, self._words[:, 0])

    def _grid(self, lines: Sequence[Line], shifts: Sequence[int], *, every: int = 1) -> _Grid:
        columns = self._words[::every].T[[column for _, column in lines]]
        return _Grid(self._frames[::every], columns, lines, shifts, middle=self._middle)

    def _finer(self, reference: Layer, place: BitPlace, *, steps: int) -> BitPlace:
        """Return the best place beside another, at so many finer steps of speed to either side."""
        speeds = place.speed + FINE_SPEED * np.arange(-steps, steps + 1)
        grid = self._grid([(float(speed), place.column) for speed in speeds], range(-REACH_STEP, REACH_STEP + 1))
        return grid.best(reference, place.start + place.speed * self._middle)

    def _wrong(self, reference: Layer, place: BitPlace) -> NDArray[np.float64]:
        """Return the share of wrong bits of each frame."""
        at = np.rint(place.start + place.speed * self._frames).astype(np.int64)
        words, known = _dense(reference, int(at[0]), int(at[-1] - at[0]) + 1)
        different = np.bitwise_count(words[at - at[0]] ^ self._words[:, place.column])
        return np.where(known[at - at[0]], different, WORD_BITS / 2) / WORD_BITS

    def _z(self, rate: float) -> float:
        """Return how far a bit error rate lies from that of chance, in standard deviations of chance."""
        return (0.5 - rate) * 2 * float(np.sqrt(WORD_BITS * len(self._frames))) / self._settings.correlated


class _Grid:
    """Frames of a clip that are laid on references along lines of several speeds, each at several shifts."""

    def __init__(
        self,
        frames: Frames,
        words: NDArray[np.uint32],
        lines: Sequence[Line],
        shifts: Sequence[int],
        *,
        middle: int | None = None,
    ) -> None:
        """`words` is (lines, frames): the clip's as each line compares them."""
        self._lines, self._shifts, self._words = lines, shifts, words[:, None]
        self._middle = int(frames[0] + frames[-1]) // 2 if middle is None else middle
        speeds = np.array([speed for speed, _ in lines])[:, None]
        along = np.rint((frames - self._middle) * speeds).astype(np.int64)
        at = along[:, None] + np.array(shifts)[:, None]  # (lines, shifts, frames)
        self._first, self._count = int(at.min()), int(at.max() - at.min()) + 1
        self._at = at - self._first

    def best(self, reference: Layer, middle: float) -> BitPlace:
        """Return the place with the fewest wrong bits near the one where the clip's middle lies on a frame."""
        base = round(middle)
        words, known = _dense(reference, base + self._first, self._count)
        different = np.bitwise_count(words[self._at] ^ self._words)
        if not known.all():
            different = np.where(known[self._at], different, np.uint8(WORD_BITS // 2))
        rates = different.mean(axis=2) / WORD_BITS
        line, shift = divmod(int(rates.argmin()), len(self._shifts))
        speed, column = self._lines[line]
        return BitPlace(base + self._shifts[shift] - speed * self._middle, speed, column, float(rates[line, shift]))


class _Sweep:
    """Some frames of a clip, evenly spread, that are laid on a reference everywhere, two at a time."""

    def __init__(self, frames: Frames, words: NDArray[np.uint32]) -> None:
        """`words` are the clip's at its own speed, one for each of `frames`."""
        self._first, self._span = int(frames[0]), int(frames[-1] - frames[0]) + 1
        own, _ = _dense(Layer(frames, words[:, None], 1.0), self._first, self._span)
        swept = own[::SWEPT_STEP]
        half = len(swept) // 2
        self._pairs = _paired(swept, half)[:half]
        self._apart = SWEPT_STEP // SWEPT_PLACES  # places between two frames of the clip
        self._margin = self._span // 2 // SWEPT_PLACES * SWEPT_PLACES  # frames that the clip may reach over an end

    def cost(self, reference: Layer) -> int:
        """Return how many words are compared."""
        return (int(reference.frames[-1]) // SWEPT_PLACES + 1) * 2 * len(self._pairs) if len(reference.frames) else 0

    def best(self, reference: Layer, limit: int) -> list[BitPlace]:
        """Return the places with the fewest wrong bits, fewest first; frames without a word count by their number 0."""
        if not len(reference.frames) or not len(self._pairs):
            return []
        words, _ = _dense(reference, -self._margin, int(reference.frames[-1]) + 1 + 2 * self._margin)
        pairs = _paired(words[::SWEPT_PLACES], self._apart * len(self._pairs))
        count = len(pairs) - self._apart * (len(self._pairs) - 1)
        if count < 1:
            return []
        wrong, different, bits = np.zeros(count, np.uint16), np.empty(count, np.uint64), np.empty(count, np.uint8)
        for number, pair in enumerate(self._pairs):
            first = number * self._apart
            np.bitwise_xor(pairs[first : first + count], pair, out=different)
            wrong += np.bitwise_count(different, out=bits)
        found: list[BitPlace] = []
        while len(found) < limit and (least := int(wrong.argmin())) >= 0 and wrong[least] < NO_PLACE:
            start = float(least * SWEPT_PLACES - self._margin - self._first)
            found.append(BitPlace(start, 1.0, 0, float(wrong[least]) / (2 * len(self._pairs) * WORD_BITS)))
            apart = SWEPT_APART // SWEPT_PLACES
            wrong[max(least - apart, 0) : least + apart + 1] = NO_PLACE
        return found


def _paired(words: NDArray[np.uint32], apart: int) -> NDArray[np.uint64]:
    """Return each word with the one so many behind it, as one of 64 bits."""
    ends = words[apart:].astype(np.uint64)
    pairs: NDArray[np.uint64] = words[: len(ends)] | ends << np.uint64(WORD_BITS)
    return pairs


def _lines(speeds: Sequence[float], most_tempo: float) -> list[Line]:
    """Return (speed, column) that are tried: the pitch of the recording at many tempi, and other speeds at a few."""
    tempi = 1 + SPEED_STEP * np.arange(-round(most_tempo / SPEED_STEP), round(most_tempo / SPEED_STEP) + 1)
    lines = [(float(tempo), 0) for tempo in tempi]
    for column, speed in enumerate(speeds[1:], start=1):
        lines += [(speed + step, column) for step in (-SPEED_STEP, 0.0, SPEED_STEP)]
    return lines


def _dense(layer: Layer, first: int, count: int) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Return (words, which there are) of so many frames from `first` on."""
    words, known = np.zeros(count, np.uint32), np.zeros(count, bool)
    rows = slice(*np.searchsorted(layer.frames, [first, first + count]))
    at = layer.frames[rows] - first
    words[at], known[at] = layer.values[rows, 0], True
    return words, known


def _steps(layer: Layer, count: int) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Return some words of each step of so many frames, (words, steps), and which there are."""
    words, known = _dense(layer, 0, -(-count // LAID_FRAMES) * LAID_FRAMES)
    return words.reshape(-1, LAID_FRAMES).T[::LAID_APART], known.reshape(-1, LAID_FRAMES).T[::LAID_APART]


def _agreeing(wrong: NDArray[np.float64]) -> tuple[int, int]:
    """Return the first and the last row of the passage whose bits agree: wrong more rarely than half-way to chance."""
    threshold = (0.5 + float(np.quantile(wrong, AGREEING_QUANTILE))) / 2
    gain = np.concatenate([[0.0], np.cumsum(threshold - wrong)])
    last = int(np.argmax(gain - np.minimum.accumulate(gain)))
    first = int(np.argmin(gain[: last + 1]))
    return first, max(last - 1, first)
