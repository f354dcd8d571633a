"""Landmarks: pairs of spectral peaks as codes (Wang, ISMIR 2003, section 2.2), and the channel they are looked up in.

A landmark is one uint32 of 21 bits: bits 20-12 the anchor's bin >> 1, bits 11-6 the (target's - anchor's bin) >> 1,
bits 5-0 the frames between them. Halving the bins lets a peak be one bin off, as it is at 2 % more speed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd
from earmark.fingerprints.peaks import Peaks, PeakShape
from earmark.plan import Channel, CompareRule, VoteRule
from earmark.types import Codes, Frames, Keys, Layer, SalienceMap

LANDMARK_BITS = 21
MIN_PEAKS = 8  # landmarks of fewer peaks match by chance
ANCHORS_AT_ONCE = 4_096  # anchors whose possible targets are looked at together
CANDIDATES = 60  # candidates; on the development clips at 0 dB the right one is nearly always among them


@dataclass(frozen=True, slots=True)
class TargetZone:
    """Where an anchor's targets lie: frames ahead and bins to each side (below 64 each, for the landmark's bits)."""

    first_frames: int = 2
    last_frames: int = 40  # 0.7 s
    bins: int = 62  # 445 Hz


@dataclass(frozen=True, slots=True)
class Density:
    """How many peaks of each block of 0.56 s are stored, and how many targets an anchor is paired with."""

    stored: int
    paired: int
    fan_out: int


@dataclass(frozen=True, slots=True)
class QueryDensity:
    """The same of a query, which keeps more: noise adds peaks, and a stored pair is found only if the query has it."""

    peaks: int = 45
    fan_out: int = 10


@dataclass(frozen=True, slots=True)
class LandmarkShape:
    """Every number that shapes peaks that are stored, and their landmarks."""

    density: Density
    front_end: FrontEnd
    peaks: PeakShape = field(default_factory=PeakShape)
    zone: TargetZone = field(default_factory=TargetZone)


@dataclass(frozen=True, slots=True)
class InformationRule:
    """What peaks must have to tell a recording from its like, by 668 recordings and 50 tones, beeps and clicks."""

    windows: int = 8  # windows, over the whole sound, of which the richest counts
    window_peaks: int = 256  # strongest peaks of a window: some 8 s
    least_landmarks: int = 16  # different ones of a recording; a second of music has 30 and more
    judged_landmarks: int = 50  # of fewer, the share of different ones says nothing
    least_different: float = 0.45  # share; recordings have 0.55 and more, buzzes, chords and beeps 0.41 at most
    most_a_frame: float = 5.0  # peaks of a frame that has some; music has 4.5 at most, trains of clicks 5.5 and more
    most_small_steps: float = 0.5  # share of steps from peak to peak; music has 0.05 at most (519 recordings), sweeps 1
    small_step: int = 2  # bins, up to which a step is small
    crowded_seconds: float = 2.0  # seconds, below which a single drum beat crowds as much


INFORMATION = InformationRule()
COMPANION_DENSITY = Density(stored=40, paired=14, fan_out=2)  # a third of the landmarks finds what vectors miss


@dataclass(frozen=True, slots=True)
class CompanionShape:
    """Peaks kept with vectors, which name most candidates themselves."""

    density: Density = COMPANION_DENSITY
    peaks: PeakShape = field(default_factory=PeakShape)
    zone: TargetZone = field(default_factory=TargetZone)
    frames: int = 2  # frames of peaks for each of the network's, if its hop can be halved: 15.6 ms
    hertz: tuple[float, float] = (31.25, 3_906.25)  # some music has next to nothing above 125 Hz (decision 8)


def landmark_channel(frame_seconds: float, *, candidates: int = CANDIDATES) -> Channel:
    """Return the channel of landmarks of peaks with so many seconds a frame, which names so many candidates."""
    votes = VoteRule(
        bin_seconds=2 * frame_seconds,  # so peaks may move by a frame
        neighbours="next",
        limit=candidates,
        per_track=4,
        apart_seconds=6 * frame_seconds,
        min_votes=3,
        shortlist=8,
    )
    return Channel("landmarks", "equal", "peaks", frame_seconds, votes, key_bits=LANDMARK_BITS)


def peak_rule(
    front_end: FrontEnd, figures: tuple[str, ...], ranking: dict[str, float], *, reach_frames: int, **options: Any
) -> CompareRule:
    """Return how peaks are compared, tried up to `reach_frames` beside a candidate; `options` as in `PeakSettings`."""
    own = {
        "bins": front_end.high_bin,
        "frame_centre_seconds": front_end.window / front_end.rate / 2,
        "reach_seconds": reach_frames * front_end.frame_seconds,
    }
    return CompareRule("peaks", "peaks", figures, ranking, min_features=MIN_PEAKS, options=own | options)


def landmarks(frames: Frames, bins: NDArray[np.int32], *, fan_out: int, zone: TargetZone) -> tuple[Frames, Codes]:
    """Return (frames of anchors, landmarks) of peaks in order of time, bins counted from the lowest.

    Each peak is the anchor of its first `fan_out` successors within the target zone.
    """
    pairs = [_pairs(frames, bins, fan_out, zone, first) for first in range(0, len(frames), ANCHORS_AT_ONCE)]
    nothing = np.zeros(0, np.int64)
    anchor, target = (np.concatenate(column) for column in zip((nothing, nothing), *pairs, strict=True))
    apart = (bins[target] - bins[anchor] + 64).astype(np.uint32) >> 1
    wait = (frames[target] - frames[anchor]).astype(np.uint32)
    codes = (bins[anchor].astype(np.uint32) >> 1) << 12 | apart << 6 | wait
    return frames[anchor], codes.astype(np.uint32, copy=False)


def have_information(every: Layer, strongest: Layer, shape: LandmarkShape, fan_out: int, *, query: bool) -> bool:
    """Return whether peaks tell a recording, or a clip of one, from its like.

    Steady and repeated sounds have the same landmarks again and again, and clicks all their peaks in few frames.
    """
    rule, count = INFORMATION, len(strongest.frames)
    length = min(count, rule.window_peaks)
    largest_share, most_different = 0.0, 0
    for start in np.unique(np.linspace(0, count - length, rule.windows).astype(int)):
        window = slice(start, start + length)
        part = Layer(strongest.frames[window], strongest.values[window], strongest.frame_seconds)
        codes = landmark_keys(part, shape, fan_out).values
        different = len(np.unique(codes))
        share = different / len(codes) if len(codes) >= rule.judged_landmarks else 1.0
        largest_share, most_different = max(largest_share, share), max(most_different, different)
        if query and share >= rule.least_different:
            return True
    if query or largest_share < rule.least_different or is_sweep(strongest):
        return False
    if most_different < rule.least_landmarks:
        return False
    seconds = float(every.frames[-1] - every.frames[0]) * every.frame_seconds
    crowded = len(every.frames) > rule.most_a_frame * len(np.unique(every.frames))
    return not crowded or seconds < rule.crowded_seconds


def is_sweep(peaks: Layer) -> bool:
    """Return whether each peak lies where the one before it was, or beside: one tone, steady or gliding."""
    bins = peaks.values[np.lexsort((peaks.values, peaks.frames))]
    steps = np.abs(np.diff(bins))
    is_small = steps <= INFORMATION.small_step
    return len(steps) >= INFORMATION.least_landmarks and bool(is_small.mean() > INFORMATION.most_small_steps)


def _pairs(
    frames: Frames, bins: NDArray[np.int32], fan_out: int, zone: TargetZone, first: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (anchors, targets) as places among the peaks, for `ANCHORS_AT_ONCE` anchors from `first` on."""
    anchors = np.arange(first, min(first + ANCHORS_AT_ONCE, len(frames)))
    beyond = np.searchsorted(frames, frames[anchors] + zone.last_frames, side="right")
    most = int((beyond - anchors).max())
    targets = anchors[:, None] + np.arange(1, max(most, 1))
    fits = targets < beyond[:, None]
    targets = np.minimum(targets, len(frames) - 1)
    fits &= frames[targets] - frames[anchors, None] >= zone.first_frames
    fits &= np.abs(bins[targets] - bins[anchors, None]) <= zone.bins
    fits &= np.cumsum(fits, axis=1, dtype=np.int32) <= fan_out
    row, column = np.nonzero(fits)
    return anchors[row], targets[row, column]


def peak_layers(peaks: Peaks, paired: int, front_end: FrontEnd) -> dict[str, Layer]:
    """Return the layers of all peaks, and of those that are among the `paired` strongest of their block."""
    salience = None if peaks.salience is None else SalienceMap(peaks.salience, front_end.low_bin, peaks.first_frame)
    bins, kept = peaks.bins + np.int32(front_end.low_bin), peaks.ranks < paired
    every = Layer(peaks.frames, bins, front_end.frame_seconds, salience)
    strongest = every if kept.all() else Layer(peaks.frames[kept], bins[kept], front_end.frame_seconds)
    return {"peaks": every, "strongest": strongest}


def at_speed(peaks: Layer, speed: float, front_end: FrontEnd) -> Layer:
    """Return peaks as they would be if the sound played by a factor faster and higher; those beyond the band go."""
    bins = np.rint(peaks.values * speed).astype(np.int32)
    frames = np.rint(peaks.frames / speed).astype(np.int32)
    kept = (bins >= front_end.low_bin) & (bins < front_end.high_bin)
    order = np.lexsort((bins[kept], frames[kept]))
    return Layer(frames[kept][order], bins[kept][order], peaks.frame_seconds)


def landmark_keys(strongest: Layer, shape: LandmarkShape, fan_out: int) -> Keys:
    """Return the landmarks of peaks, each with its anchor's frame."""
    bins = strongest.values - np.int32(shape.front_end.low_bin)
    return Keys(*landmarks(strongest.frames, bins, fan_out=fan_out, zone=shape.zone))
