"""Quads: four peaks as a code that neither tempo nor pitch changes (Sonnleitner and Widmer, DAFx 2014; TASLP 2016).

A quad is an anchor A, two peaks C and D soon after it and B farther on. A change of tempo leaves the times of C and D
as shares of the time from A to B, a change of pitch the ratios of the frequencies of C, D and B to that of A. Of A's
own frequency the code has some half an octave. Layout, from bit 30: C and D in time, C, D and B in pitch, A in pitch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from earmark.plan import Channel, ModelShape, Plan, VoteRule, WarpRule
from earmark.types import Frames, Keys, Layer

QUAD_BITS = 31
SHIFTS = (26, 21, 15, 9, 3, 0)  # bits below each number of a code: 5, 5, 6, 6, 6 and 3 of them
QUADS = "quads"  # name of the channel
ANCHORS_AT_ONCE = 4_096  # anchors whose possible targets are looked at together
WIDEST = 1.35  # largest change of tempo or pitch that is looked for, either way: 25 % slower is 1 / 1.33
SPEEDS = tuple(float(np.exp(step * 0.035)) for step in range(-9, 10))  # half a step moves the ends of 10 s by 0.1 s

MODEL = ModelShape(
    layers=("peaks",),
    features=("constant", "root of z", "lead in z over chance"),
    rising=("root of z", "lead in z over chance"),
    lengths=(5.0, 10.0),
)

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Targets:
    """Peaks that follow an anchor: the first `most` from a frame on, within an octave or so of its frequency."""

    first_frames: int
    span_frames: int  # frames in which they are looked for
    most: int


@dataclass(frozen=True, slots=True)
class QuadCells:
    """Width of the cells in which a quad's numbers are counted."""

    time: float = 0.06  # share of the time from A to B; peaks move by a frame in 36 and more
    pitch: float = 0.03  # natural logarithm of a ratio: half a semitone; a bin in 33
    anchor: float = 0.6  # natural logarithm of the anchor's bin


@dataclass(frozen=True, slots=True)
class QuadShape:
    """Every number that shapes the quads of a recording."""

    near: Targets = field(default_factory=lambda: Targets(4, 24, 3))  # C and D
    far: Targets = field(default_factory=lambda: Targets(36, 24, 1))  # B, 0.6 s later
    cells: QuadCells = field(default_factory=QuadCells)
    reach: float = 0.7  # natural logarithm of the largest ratio to the anchor's frequency: an octave
    low_bin: int = 24  # lower peaks are a bin or two wide in pitch
    anchor_step: int = 1  # peaks from one anchor to the next


@dataclass(frozen=True, slots=True)
class QuadQuery:
    """The same of a query, whose first targets may be later ones of the recording."""

    peaks: int = 24  # strongest of each block of the spectrogram; the recording has 14, and 25 % lower some less
    near: int = 6
    far: int = 8
    edge: float = 0.15  # share of a cell from its border within which the next cell is looked up too


def quad_channel(frame_seconds: float) -> Channel:
    """Return the channel of quads of peaks with so many seconds a frame."""
    votes = VoteRule(
        bin_seconds=12 * frame_seconds,
        neighbours="next",
        limit=40,
        per_track=4,
        apart_seconds=32 * frame_seconds,
        min_votes=3,
        shortlist=2,
    )
    return Channel(QUADS, "equal", "peaks", frame_seconds, votes, key_bits=QUAD_BITS)


def quad_keys(strongest: Layer, shape: QuadShape) -> Keys:
    """Return the quads of a recording's peaks, each with its anchor's frame, in order of these."""
    quads = _quads(strongest, shape, shape.near, shape.far)
    quads = quads[quads[:, 0] % shape.anchor_step == 0]
    frames, cells = _cells(strongest, quads[np.argsort(quads[:, 0], kind="stable")], shape)
    return Keys(frames, _codes(np.floor(cells).astype(np.int64)))


def quad_query_keys(strongest: Layer, shape: QuadShape, query: QuadQuery) -> Keys:
    """Return the quads of a query's peaks at any tempo and pitch, and those of cells that they nearly lie in."""
    near = _stretched(shape.near, query.near)
    far = _stretched(shape.far, query.far)
    frames, cells = _cells(strongest, _quads(strongest, shape, near, far), shape)
    own = np.floor(cells).astype(np.int64)
    codes, rows = _codes(own), np.arange(len(own))
    within = cells - own
    for column, shift in enumerate(SHIFTS):
        # The anchor's own frequency is that of the recording times an unknown pitch.
        edge = np.log(WIDEST) / shape.cells.anchor if column == len(SHIFTS) - 1 else query.edge
        step = np.int64(1) << shift
        below, above = within[rows, column] < edge, within[rows, column] >= 1 - edge
        codes = np.concatenate([codes, codes[below] - step, codes[above] + step])
        rows = np.concatenate([rows, rows[below], rows[above]])
    order = np.argsort(codes, kind="stable")  # neighbours in the index are read one after another
    return Keys(frames[rows[order]], codes[order].astype(np.uint32))


def with_quads(plan: Plan, frame_seconds: float, query: QuadQuery) -> Plan:
    """Return a plan of peaks with the channel of their quads."""
    return replace(
        plan,
        channels=(*plan.channels, quad_channel(frame_seconds)),
        query={**plan.query, QUADS: asdict(query)},
        warp=WarpRule(QUADS, "peaks", SPEEDS, WIDEST, MODEL),
    )


def _codes(cells: NDArray[np.int64]) -> NDArray[np.uint32]:
    codes = np.zeros(len(cells), np.int64)
    for column, shift in enumerate(SHIFTS):
        codes |= cells[:, column] << shift
    return codes.astype(np.uint32)


def _stretched(targets: Targets, most: int) -> Targets:
    """Return where the targets may be in a clip that is faster or slower."""
    first = int(targets.first_frames / WIDEST)
    last = (targets.first_frames + targets.span_frames) * WIDEST
    return Targets(first, round(last) - first, most)


def _cells(layer: Layer, quads: Places, shape: QuadShape) -> tuple[Frames, NDArray[np.float64]]:
    """Return (frames of the anchors, numbers of the quads in cells from 1 on), (n,) and (n, 6)."""
    a, c, d, b = quads.T
    frames, logs = layer.frames, np.log(np.maximum(layer.values, 1))
    whole = (frames[b] - frames[a]).astype(np.float64)
    times = [(frames[one] - frames[a]) / whole / shape.cells.time for one in (c, d)]
    pitches = [(logs[one] - logs[a] + shape.reach) / shape.cells.pitch for one in (c, d, b)]
    anchor = (logs[a] - np.log(shape.low_bin)) / shape.cells.anchor
    return frames[a], np.stack([*times, *pitches, anchor], axis=1) + 1


def _quads(layer: Layer, shape: QuadShape, near: Targets, far: Targets) -> Places:
    """Return the quads of peaks in order of time as places of A, C, D and B among them, (n, 4)."""
    heard = np.flatnonzero(layer.values >= shape.low_bin)
    frames, logs = layer.frames[heard], np.log(layer.values[heard])
    found = [np.zeros((0, 4), np.int64)]
    for first in range(0, len(heard), ANCHORS_AT_ONCE):
        anchors = np.arange(first, min(first + ANCHORS_AT_ONCE, len(heard)))
        close = _targets(frames, logs, anchors, near, shape.reach)
        distant = _targets(frames, logs, anchors, far, shape.reach)
        for one, other in combinations(range(near.most), 2):
            for last in range(far.most):
                quads = np.stack([anchors, close[:, one], close[:, other], distant[:, last]], axis=1)
                quads = quads[(quads >= 0).all(axis=1)]
                found.append(quads[frames[quads[:, 2]] < frames[quads[:, 3]]])
    return heard[np.concatenate(found)]


def _targets(frames: Frames, logs: NDArray[np.float64], anchors: Places, targets: Targets, reach: float) -> Places:
    """Return the targets of each anchor in order of time, (anchors, targets.most), -1 where there are fewer."""
    low = np.searchsorted(frames, frames[anchors] + targets.first_frames)
    high = np.searchsorted(frames, frames[anchors] + targets.first_frames + targets.span_frames)
    places = low[:, None] + np.arange(max(int((high - low).max(initial=0)), 1))
    fits = places < high[:, None]
    places = np.minimum(places, len(frames) - 1)
    fits &= np.abs(logs[places] - logs[anchors, None]) <= reach
    number = np.cumsum(fits, axis=1, dtype=np.int32)
    row, column = np.nonzero(fits & (number <= targets.most))
    found = np.full((len(anchors), targets.most), -1)
    found[row, number[row, column] - 1] = places[row, column]
    return found
