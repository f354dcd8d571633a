"""Peaks of a clip laid on a recording's: where they meet, at which speed and pitch, and how far beyond chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earmark.match.compare.contrast import Contrast
from earmark.match.compare.correlation import STEP_FRAMES, Correlation
from earmark.match.compare.query_map import HIDDEN_FRAMES, Place, QueryMap, Warp, warps
from earmark.match.compare.registration import RegistrationSettings, register
from earmark.match.protocol import SAME_FACTOR, Alignment, Candidate, Others, Placement, Scores, Similarities
from earmark.match.rivals import CLEAR_Z, DECISIVE_Z
from earmark.types import Hits, Layer, SalienceMap

USUAL_WARPS = warps(range(-4, 5))  # turntables, tapes and radio stations, a per cent at a time
WIDE_WARPS = warps(range(-10, 11))
WARP_COST = 1.0  # z that the best of so many warps gains by chance
DUPLICATE_SHARE = 0.5  # share of matching peaks: two encodings of a recording have more, other music far less
STEEPEST = 0.05  # largest correction of speed by the fit; more comes from chance pairs
PITCH_STEP = 0.005  # half a step of the grid of pitches, 1 %
CORRELATION = 9.0  # variance of z by chance, of which 1 would be expected of independent peaks
WIDEST = 1.35  # largest change of speed or pitch that a told one is checked against
OTHER_SPEEDS = (0.78, 0.88, 1.0, 1.12, 1.26)  # each is registered to a tenth
FITTED_GAIN = 1.25  # share of z that fitting gains without another speed: a second or two hold few peaks
SOMEWHAT_Z = 8.0  # z that chance seldom reaches
FEWEST_PAIRS = 6  # pairs of peaks that a straight line is fitted through


@dataclass(frozen=True, slots=True)
class PeakSettings:
    """How peaks are compared."""

    bins: int  # one more than the largest bin
    frame_centre_seconds: float  # from the beginning of a frame to its middle, which is what it stands for
    reach_seconds: float  # to either side of a candidate's place that others are tried
    refined: int = 0  # best places that are also tried one frame earlier and later
    warped_best: int = 5  # best places that are tried at all warps
    warped_first: int = 5  # first candidates that are tried at all warps: their places are surest
    clear_z: float = math.inf  # z from which no other warp is tried: a fit tells small ones
    warped_about: Literal["candidate", "place"] = "candidate"  # where other warps begin to search
    registration: RegistrationSettings = field(default_factory=RegistrationSettings)


class PeakComparison:
    """The peaks of one window; implements `Sweepable`, `Checkable`, `Sequential`, `Separable` and `Registrable`."""

    def __init__(
        self,
        layer: Layer,
        figures: Sequence[str],
        *,
        settings: PeakSettings,
        wide: bool,
        hits: Callable[[], Hits] | None = None,
    ) -> None:
        """Draw the window's map; `wide` also tries larger changes of speed. `hits` say nothing here."""
        self._settings, self._frame, self._figures = settings, layer.frame_seconds, frozenset(figures)
        self._map = QueryMap(layer, bins=settings.bins, hypotheses=WIDE_WARPS if wide else USUAL_WARPS)

    @property
    def seconds(self) -> float:
        """Length of the window, from its beginning to its last peak."""
        return self._map.frames * self._frame

    def near(self, references: Sequence[Layer], candidates: Sequence[Candidate], *, own: bool) -> list[Placement]:
        """Return the best placement near each candidate.

        The best `refined` are tried at every frame, the best `warped_best` and the first `warped_first` at all warps;
        only the best one, where it is decisive.
        """
        if not candidates:
            return []
        settings, query = self._settings, self._map
        middles = [one.start / self._frame + (one.speed - 1) * query.frames / 2 for one in candidates]
        reach = round(settings.reach_seconds / self._frame)
        places = query.at_offsets(references, [round(middle) for middle in middles], reach=reach)
        best = _by_z(places)[: settings.refined]
        starts = [round(places[number].start) for number in best]
        shifted = query.at_offsets([references[number] for number in best], starts, reach=1)
        for number, finer in zip(best, shifted, strict=True):
            places[number] = max(places[number], finer, key=lambda place: place.z)
        ranks = _by_z(places)
        closely = ranks[:1]
        if places[ranks[0]].z < DECISIVE_Z:
            closely = [*ranks[: settings.warped_best], *range(min(settings.warped_first, len(places)))]
        for number in dict.fromkeys(one for one in closely if places[one].z < settings.clear_z):
            about = middles[number] if settings.warped_about == "candidate" else places[number].start
            warped = query.over_warps(references[number], about)
            if warped.z > places[number].z + WARP_COST:
                places[number] = warped
        return self._placements(references, places)

    def register(
        self, references: Sequence[Layer], candidates: Sequence[Candidate], *, widest: float
    ) -> list[Placement | None]:
        """Return the placement near each candidate at any speed and pitch; None where too few peaks agree on one."""
        places = [
            self._registered(reference, one.start / self._frame, one.speed, widest)
            for reference, one in zip(references, candidates, strict=True)
        ]
        known = [(reference, place) for reference, place in zip(references, places, strict=True) if place is not None]
        placed = iter(self._placements([reference for reference, _ in known], [place for _, place in known]))
        return [None if place is None else next(placed) for place in places]

    def repetitions(self, reference: Layer, placement: Placement, *, limit: int) -> list[float]:
        """Return the seconds of a reference at which the window may begin too, at a placement's speed and pitch."""
        unwarped = self._map.unwarped(placement.detail.warp)
        return [place.start * self._frame for place in Correlation(unwarped).best_places(reference, limit=limit)]

    def fit(self, reference: Layer, placement: Placement, *, measuring: bool = True) -> Alignment:
        """Return the alignment at a placement: its diagonal fitted to pairs of peaks, its pitch refined."""
        place: Place = placement.detail
        start, speed, error = _fit(*self._map.pairs(reference, place), place)
        if place.is_fitted:  # to pairs of all distances, by fits that chance pairs draw less
            start, speed = place.start, place.warp.speed
        pitch = place.warp.pitch
        if pitch != 1 and not place.is_fitted:
            nearby = [Warp(speed, pitch + step) for step in (0, -PITCH_STEP, PITCH_STEP)]
            pitch = self._map.over_warps(reference, start - self._map.middle * (1 - speed), nearby).warp.pitch
        at, bins = self._map.inside(reference, start, Warp(speed, pitch))
        hit, expected = self._map.hits_at(at, bins)
        first, last = _span(at, hit, expected / max(len(at), 1))
        matched, z = int(hit.sum()), self._map.z_at(at, bins)
        surplus = max(matched - expected, 0.0)
        centre = self._settings.frame_centre_seconds
        return Alignment(
            start=start * self._frame + (1 - speed) * centre,
            speed=speed,
            pitch=pitch,
            position_error=error * self._frame,
            first=first * self._frame,
            last=last * self._frame + 2 * centre,
            figures={
                "matched": matched,
                "expected": round(expected, 2),
                "surplus": round(surplus, 2),
                "share": round(surplus / max(len(at), 1), 4),
                "z": round(z, 3),
            },
            is_measured=place.is_fitted or (measuring and self._is_measured(reference, start, Warp(speed, pitch), z)),
        )

    def _line_of(self, alignment: Alignment) -> tuple[float, Warp]:
        """Return (frame of the reference at which the window's first frame lies, warp)."""
        start = alignment.start - (1 - alignment.speed) * self._settings.frame_centre_seconds
        return start / self._frame, Warp(alignment.speed, alignment.pitch)

    def _registered(self, reference: Layer, start: float, speed: float, widest: float) -> Place | None:
        fitted = register(self._map.peaks, reference, start, speed, widest=widest, settings=self._settings.registration)
        return None if fitted is None else self._map.place_at(reference, *fitted)

    def _is_measured(self, reference: Layer, start: float, warp: Warp, z: float) -> bool:
        """Return whether a warp that was the best of a few is what the peaks tell when none is given to them.

        That a clip plays as the recording does counts unless they tell otherwise. Where they agree somewhat, other
        speeds about the same middle are tried too: music that repeats itself agrees with itself out of step.
        """
        factors = OTHER_SPEEDS if SOMEWHAT_Z <= z < CLEAR_Z else (1.0,)
        middle = start + warp.speed * self._map.middle
        fits = [
            self._registered(reference, middle - factor * warp.speed * self._map.middle, factor * warp.speed, WIDEST)
            for factor in factors
        ]
        fitted = max((one for one in fits if one is not None), key=lambda one: one.z, default=None)
        if fitted is not None and _is_same(fitted.warp, warp):
            return True
        is_plain = _is_same(warp, Warp())
        return is_plain and (fitted is None or fitted.z <= FITTED_GAIN * z + WARP_COST)

    def evidence(self, candidate: Candidate, alignment: Alignment, others: Others) -> Mapping[str, float]:
        """Return what was asked for of: matched, expected, surplus, share, z, rival_z, contrast, rival_contrast."""
        figures = {
            **alignment.figures,
            "rival_z": round(others.largest("z"), 3),
            "contrast": round(candidate.figure("contrast"), 3),
            "rival_contrast": round(others.largest("contrast"), 3),
        }
        return {name: figures[name] for name in figures if name in self._figures}

    def over_time(self, reference: Layer, alignment: Alignment) -> Scores:
        """Return how much each of the reference's peaks finds under it, at the clip's seconds."""
        at, bins = self._map.inside(reference, *self._line_of(alignment))
        seconds = at * self._frame + self._settings.frame_centre_seconds
        return Scores(seconds.astype(np.float64), self._map.scores_at(at, bins), CORRELATION)

    def apart(self, one: tuple[Layer, Placement], other: tuple[Layer, Placement]) -> tuple[float, float]:
        """Return z of both, each by the peaks that the other does not meet, over z by all peaks."""
        return _apart(replace(self._map.peaks, weights=None), one, other, bins=self._settings.bins)

    def unexplained(self, laid: Sequence[tuple[Layer, Alignment, float, float]]) -> Layer:
        """Return the window's peaks that references, each laid on it between two seconds, do not meet.

        Of its salience map, where it has one, what lies around their peaks is hidden.
        """
        lines = [(layer, *self._line_of(alignment), (begin, end)) for layer, alignment, begin, end in laid]
        return _left_of(self._map, lines, self._frame)

    def same(self, one: tuple[Layer, Placement], other: tuple[Layer, Placement]) -> bool:
        """Return whether two references hold the same sound under the window."""
        return _hold_the_same(one, other, frames=self._map.frames, bins=self._settings.bins)

    def similarities(self, reference: Layer) -> Similarities:
        """Return how far the reference's peaks of each step exceed chance on the window's map, step by step."""
        step = STEP_FRAMES * self._frame
        middle = step / 2 + self._settings.frame_centre_seconds
        return Similarities(self._correlation.similarities(reference), step, middle, middle)

    def sweep_cost(self, reference: Layer) -> int:
        """Return how many multiply-adds a sweep of the reference takes: a billion and more in a second."""
        return self._correlation.cost(reference)

    def sweep(self, reference: Layer, *, limit: int = 1) -> list[Placement]:
        """Return the best placements on the whole of a reference, at the clip's own speed, best first."""
        return [_swept(place, self._frame) for place in self._correlation.best_places(reference, limit=limit)]

    def sweep_each(self, references: Sequence[Layer]) -> list[Placement | None]:
        """Return the best placement on the whole of each reference; together they take half the time."""
        places = self._correlation.best_place_on_each(references)
        return [None if place is None else _swept(place, self._frame) for place in places]

    def check(self, references: Sequence[Layer], starts: Sequence[float], *, reach_seconds: float) -> list[Placement]:
        """Return the best placement near each second of a reference, at the clip's own speed."""
        offsets, reach = [round(start / self._frame) for start in starts], round(reach_seconds / self._frame)
        return [_swept(place, self._frame) for place in self._map.at_offsets(references, offsets, reach=reach)]

    @cached_property
    def _contrast(self) -> Contrast:
        return Contrast(self._map)

    @cached_property
    def _correlation(self) -> Correlation:
        return Correlation(self._map)

    def _placements(self, references: Sequence[Layer], places: Sequence[Place]) -> list[Placement]:
        figures: list[dict[str, float]] = [{"z": place.z} for place in places]
        if "contrast" in self._figures:
            for own, contrast in zip(figures, self._contrast.under(references, places), strict=True):
                own["contrast"] = contrast
        return [
            Placement(place.start * self._frame, place.warp.speed, own, place)
            for place, own in zip(places, figures, strict=True)
        ]


def _hold_the_same(one: tuple[Layer, Placement], other: tuple[Layer, Placement], *, frames: int, bins: int) -> bool:
    """Return whether two references hold the same sound under a window of so many frames."""
    layer, start = one[0], one[1].detail.start
    moments, values = layer.within(start, start + frames)
    if not len(moments):
        return False
    part = Layer(moments - np.int32(round(start)), values, layer.frame_seconds)
    query = QueryMap(part, bins=bins, hypotheses=(Warp(),))
    place = query.at_offsets([other[0]], [round(other[1].detail.start)])[0]
    start, speed, _ = _fit(*query.pairs(other[0], place), place)
    at, columns = query.inside(other[0], start, Warp(speed))
    return int(query.hits_at(at, columns)[0].sum()) > DUPLICATE_SHARE * len(at)


def _left_of(
    query: QueryMap, lines: Sequence[tuple[Layer, float, Warp, tuple[float, float]]], frame_seconds: float
) -> Layer:
    """Return the peaks of a map that lines, given with the seconds between which they lie, do not meet."""
    peaks = query.peaks
    salience = peaks.weights if isinstance(peaks.weights, SalienceMap) else None
    met, hidden = np.zeros(len(peaks.frames), bool), np.zeros((query.frames, query.bins), bool)
    for reference, start, warp, seconds in lines:
        frames = [max(round(second / frame_seconds), 0) for second in seconds]
        between, rows = slice(*np.searchsorted(peaks.frames, frames)), slice(*frames)
        met[between] |= query.met_by(reference, start, warp)[between]
        if salience is not None:
            hidden[rows] |= query.around(reference, start, warp, HIDDEN_FRAMES)[rows]
    if salience is not None:
        if salience.hidden is not None:
            earlier = salience.hidden[: query.frames]
            hidden[: len(earlier)] |= earlier
        salience = replace(salience, hidden=hidden)
    return Layer(peaks.frames[~met], peaks.values[~met], peaks.frame_seconds, salience)


def _apart(
    peaks: Layer, one: tuple[Layer, Placement], other: tuple[Layer, Placement], *, bins: int
) -> tuple[float, float]:
    """Return z of two references on a query's peaks, each by those that the other does not meet, over z by all."""
    plain, shares = QueryMap(peaks, bins=bins, hypotheses=(Warp(),)), list[float]()
    for (layer, placement), (another, beside) in ((one, other), (other, one)):
        place, explaining = placement.detail, beside.detail
        at, columns = plain.inside(layer, place.start, place.warp)
        kept = ~plain.met_by(another, explaining.start, explaining.warp)
        rest = Layer(peaks.frames[kept], peaks.values[kept], peaks.frame_seconds)
        left = QueryMap(rest, bins=bins, hypotheses=(Warp(),))
        inside = at < left.frames
        shares.append(left.z_at(at[inside], columns[inside]) / max(plain.z_at(at, columns), 1e-9))
    return shares[0], shares[1]


def _swept(place: Place, frame: float) -> Placement:
    return Placement(place.start * frame, 1.0, {"z": place.z}, place)


def _is_same(one: Warp, other: Warp) -> bool:
    return max(abs(one.speed / other.speed - 1), abs(one.pitch / other.pitch - 1)) <= SAME_FACTOR


def _by_z(places: Sequence[Place]) -> list[int]:
    return sorted(range(len(places)), key=lambda number: -places[number].z)


def _span(at: NDArray[np.int32], hit: NDArray[np.bool_], chance: float) -> tuple[int, int]:
    """Return the query frames between which peaks match, where outside they do so by chance.

    It is the passage whose matches exceed most the mean of chance and the share that matches; the share is first that
    of all peaks, then that of the passage.
    """
    if not hit.any():
        return 0, 0
    first, last = 0, len(at)
    for _ in range(2):
        share = float(hit[first:last].mean())
        surplus = np.concatenate([[0.0], np.cumsum(hit - (chance + share) / 2)])
        last = int(np.argmax(surplus - np.minimum.accumulate(surplus)))
        first = int(np.argmin(surplus[: last + 1]))
        if first >= last:
            return int(at[0]), int(at[-1])
    return int(at[first]), int(at[last - 1])


def _fit(query: NDArray[np.float64], reference: NDArray[np.float64], place: Place) -> tuple[float, float, float]:
    """Return (start, speed, standard error of start in frames) of the line through pairs of peaks.

    Speed is left as it is unless the fit says by three standard errors that it is another.
    """
    speed = place.warp.speed
    if len(query) < FEWEST_PAIRS:
        return place.start, speed, 1.0
    residual = reference - place.start - speed * query
    centred = query - query.mean()
    spread = float((centred**2).sum()) + 1e-9
    slope = float((centred * residual).sum()) / spread
    noise = float(residual.std()) + 0.05
    if 3 * noise / np.sqrt(spread) < abs(slope) < STEEPEST:
        speed += slope
    return float((reference - speed * query).mean()), speed, noise / float(np.sqrt(len(query)))
