"""Fit a confidence on clips whose truth is known: a logistic model over the evidence of each clip's best candidate.

A calibration holds for the fingerprint, the plan and the index of the catalogs that were asked. docs/evaluation.md,
"Calibrate", says which clips it needs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import scipy.optimize
from numpy.typing import NDArray

import earmark
from earmark.atomic import written_beside
from earmark.errors import OptionError
from earmark.evaluation.false_rates import count_false
from earmark.evaluation.samples import ClipSet, Pathname, Sample, plan_of, samples_of
from earmark.match.calibration import Calibration, FalseRates, Model, features_of, logit, probability
from earmark.plan import ModelShape

Array = NDArray[np.float64]

RIDGE = 1e-3  # penalty on the squared weights of standardised features; keeps them finite where one separates alone
MOST_FALSE = 0.005  # share of any kind of unknown clips that may be answered at the threshold
STEP = 0.25  # log odds between thresholds that are tried
LOG_ODDS = (-8.0, 30.0)  # lowest and highest threshold that is tried; a float64 probability ends at 1 - 1e-13
SHOWN_STEP = 0.5  # log odds between rows of the table of thresholds
SHOWN_LOG_ODDS = (0.0, 7.5)  # range of that table, without its end
CONFIDENCE_EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1.0)  # ranges of confidence that are compared with the truth


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """What a threshold lets through, of clips of one length."""

    log_odds: float
    confidence: float  # the same as a probability
    seconds: float
    right: float  # share of right answers, mean over the kinds of known clips
    false: float  # share of answers to the worst kind of unknown clips; nan without any
    worst: str  # the worst kind


@dataclass(frozen=True, slots=True)
class ConfidenceRow:
    """How often candidates of a range of confidence are right."""

    low: float
    high: float
    mean: float  # mean confidence
    right: float  # share of right candidates
    clips: int


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model, and what it reaches on the clips that it was fitted on."""

    model: Model
    log_odds: float  # the threshold
    thresholds: tuple[ThresholdRow, ...]
    confidences: tuple[ConfidenceRow, ...]


def calibrate(
    catalogs: Sequence[Pathname],
    clips: Sequence[ClipSet],
    *,
    most_false: float = MOST_FALSE,
    workers: int | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> tuple[Calibration, tuple[Fit, ...]]:
    """Return the calibration for catalogs of one kind, and the fit of each of its models, that at any speed last.

    Each catalog is asked for all clips; catalogs of several sizes make weights that suit them all. Raises OptionError
    for catalogs of several kinds, and for clips that leave a length or a side without any.
    """
    total, done, left_out = len(catalogs) * sum(len(one.queries) for one in clips), 0, 0
    samples: dict[bool, list[Sample]] = {False: [], True: []}  # by whether they were asked at any speed alone
    with ExitStack() as stack:
        opened = [stack.enter_context(earmark.open(path, create=False, read_only=True)) for path in catalogs]
        kinds = {(str(one.info()["spec"]), str(one.info()["index"])) for one in opened}
        if len(kinds) > 1:
            raise OptionError(f"the catalogs hold {_listed(' in '.join(kind) for kind in kinds)}: give one kind")
        ((spec, index),) = kinds
        plan = plan_of(opened[0])
        if plan.warp is not None and not any(one.any_speed and one.queries for one in clips):
            raise OptionError(
                "the catalog finds clips at any speed: give clips at other speeds too (any_speed, --any-speed)"
            )
        for catalog in opened:
            for one in clips:
                for sample in samples_of(catalog, one, workers=workers):
                    if not sample.shared:
                        samples[one.any_speed].append(sample)
                    left_out += sample.shared
                    done += 1
                    progress(done, total)
        sizes = {len(catalog) for catalog in opened}
    fits = [fit(samples[False], shape, most_false=most_false) for shape in plan.models]
    warped = None if plan.warp is None else fit(samples[True], plan.warp.model, most_false=most_false)
    words = (
        f"{total:,} clips ({_listed(one.name for one in clips)}) among {_listed(f'{size:,}' for size in sizes)} tracks"
    )
    if left_out:
        words += f"; without {left_out:,} of sound that a recording which is not held shares with one that is"
    models = tuple(one.model for one in fits)
    rates = false_rates_of(samples[False], fits[0], plan.models[0], most_false=most_false, tracks=max(sizes))
    calibration = Calibration(
        spec, plan.digest, index, models, words, None if warped is None else warped.model, false_rates=rates
    )
    return calibration, tuple(fits if warped is None else [*fits, warped])


def fit(samples: Sequence[Sample], shape: ModelShape, *, most_false: float = MOST_FALSE) -> Fit:
    """Return the model of a shape that suits the samples, with the threshold that `choose_threshold` takes.

    One threshold serves all lengths: a length that would need a higher one than the longest is less sure by that much.
    """
    draft = Model(shape.layers, shape.features, shape.rising, shape.lengths, (), 1.0)
    answered = [sample for sample in samples if sample.evidence]
    features = np.array([features_of(sample.evidence, draft) for sample in answered], np.float64)
    weights = fit_by_length(features, answered, shape)
    weights[:, 0] -= _excess(samples, _log_odds(samples, features, shape, weights), shape, most_false)
    log_odds = _log_odds(samples, features, shape, weights)
    threshold = choose_threshold(samples, log_odds, most_false)
    rows = tuple(tuple(float(value) for value in row) for row in weights)
    model = msgspec.structs.replace(draft, weights=rows, threshold=probability(threshold))
    return Fit(model, threshold, tuple(threshold_rows(samples, log_odds)), tuple(confidence_rows(samples, log_odds)))


def false_rates_of(
    samples: Sequence[Sample], fitted: Fit, shape: ModelShape, *, most_false: float, tracks: int
) -> FalseRates | None:
    """Return how often unknown clips would be given a name, each weighed by a model that did not see it.

    Half of every kind is weighed by the model of the other half, its log odds moved so that both have the threshold of
    the fit to all. None where a half has too few clips for a model.
    """
    halves: tuple[list[Sample], list[Sample]] = ([], [])
    for places in _kinds(samples).values():
        for number, place in enumerate(places):
            halves[number % 2].append(samples[place])
    confidences: dict[float, list[float]] = defaultdict(list)
    for own, other in (halves, halves[::-1]):
        try:
            model = fit(other, shape, most_false=most_false).model
        except OptionError:
            return None
        moved = fitted.log_odds - logit(model.threshold)
        for sample in own:
            if not sample.known:
                odds = model.log_odds(sample.evidence) + moved if sample.evidence else None
                confidences[sample.seconds].append(0.0 if odds is None else probability(odds))
    return count_false(confidences, threshold=fitted.model.threshold, tracks=tracks)


def fit_by_length(features: Array, samples: Sequence[Sample], shape: ModelShape) -> Array:
    """Return weights (lengths, features), rounded to 0.001; a clip belongs to the nearest length."""
    right = np.array([sample.right for sample in samples], np.float64)
    rising = [place for place, name in enumerate(shape.features) if name in shape.rising]
    nearest, rows = _nearest(samples, shape), []
    for number, length in enumerate(shape.lengths):
        own = nearest == number
        part = [sample for sample, is_own in zip(samples, own, strict=True) if is_own]
        for known, wanted in ((True, "known"), (False, "unknown")):
            if all(sample.known != known for sample in part):
                raise OptionError(f"no {wanted} clip of about {length:g} s has a candidate; give more clips")
        rows.append(fit_weights(features[own], right[own], weights_of(part), rising=rising))
    return np.round(rows, 3)


def _nearest(samples: Sequence[Sample], shape: ModelShape) -> NDArray[np.intp]:
    """Return which of the lengths each sample belongs to, (n,): the nearest, by its logarithm."""
    distances = np.abs(np.subtract.outer([np.log(sample.seconds) for sample in samples], np.log(shape.lengths)))
    return distances.argmin(axis=1) if len(samples) else np.zeros(0, np.intp)


def _log_odds(samples: Sequence[Sample], features: Array, shape: ModelShape, weights: Array) -> Array:
    """Return the log odds of all samples, (n,), minus infinity for one without a candidate."""
    answered = [sample for sample in samples if sample.evidence]
    log_odds = np.full(len(samples), -np.inf)
    log_odds[[bool(sample.evidence) for sample in samples]] = log_odds_of(features, answered, shape.lengths, weights)
    return log_odds


def _excess(samples: Sequence[Sample], log_odds: Array, shape: ModelShape, most_false: float) -> Array:
    """Return by how much the threshold of each length is higher than that of the longest, (lengths,); at least 0."""
    nearest = _nearest(samples, shape)
    thresholds = [
        choose_threshold([samples[place] for place in np.flatnonzero(own).tolist()], log_odds[own], most_false)
        for own in (nearest == number for number in range(len(shape.lengths)))
    ]
    excess: Array = np.maximum(np.array(thresholds) - thresholds[-1], 0.0)
    return excess


def weights_of(samples: Sequence[Sample]) -> Array:
    """Return how much each sample counts: equal for every kind, and for known and unknown together."""
    kinds = np.array([sample.kind for sample in samples])
    known = np.array([sample.known for sample in samples])
    weight = np.zeros(len(samples))
    for kind in set(kinds):
        weight[kinds == kind] = 1 / (kinds == kind).sum()
    for side in (known, ~known):
        weight[side] /= weight[side].sum()
    return weight * len(samples) / 2


def fit_weights(features: Array, right: Array, weight: Array, *, rising: Collection[int] = ()) -> Array:
    """Return the weights (d,) of a logistic model for features (n, d), the first of which is the constant 1.

    Weights of the features `rising` are not negative, whatever the samples say.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    mean[0] = 0.0
    deviation[deviation < 1e-12] = 1.0  # a feature that never changes, as the constant, says nothing
    standard = (features - mean) / deviation

    def loss(beta: Array) -> tuple[float, Array]:
        odds = standard @ beta
        gradient = standard.T @ (weight * (1 / (1 + np.exp(-odds)) - right))
        penalty = 2 * RIDGE * np.append(0.0, beta[1:])
        value = weight @ (np.logaddexp(0, odds) - right * odds) + RIDGE * (beta[1:] ** 2).sum()
        return float(value), gradient + penalty

    bounds = [(0.0 if place in rising else None, None) for place in range(features.shape[1])]
    beta = scipy.optimize.minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    weights: Array = beta / deviation
    weights[0] = beta[0] - float((beta * mean / deviation)[1:].sum())
    return weights


def log_odds_of(features: Array, samples: Sequence[Sample], lengths: Sequence[float], weights: Array) -> Array:
    """Return the log odds of each sample, (n,); weights change with the logarithm of the length, as in a catalog."""
    places, known = np.log([max(sample.evidence["seconds"], 0.1) for sample in samples]), np.log(lengths)
    own = np.stack([np.interp(places, known, column) for column in weights.T], axis=1)
    log_odds: Array = np.einsum("nf,nf->n", features, own)
    return log_odds


def choose_threshold(samples: Sequence[Sample], log_odds: Array, most_false: float = MOST_FALSE) -> float:
    """Return the smallest log odds, in steps of 0.25, at which no kind of unknown clips is answered more often."""
    unknown = [log_odds[places] for kind, places in _kinds(samples).items() if not samples[places[0]].known]
    for threshold in np.arange(LOG_ODDS[0], LOG_ODDS[1] + STEP, STEP):
        if all((odds >= threshold).mean() <= most_false for odds in unknown):
            return float(threshold)
    raise OptionError("unknown clips have log odds above 30: are their recordings in the catalog after all?")


def threshold_rows(samples: Sequence[Sample], log_odds: Array) -> Iterator[ThresholdRow]:
    """Yield what thresholds of 0 to 7 let through, by length."""
    kinds = _kinds(samples)
    right = np.array([sample.right for sample in samples])
    for threshold in np.arange(*SHOWN_LOG_ODDS, SHOWN_STEP):
        accepted = log_odds >= threshold
        for seconds in sorted({sample.seconds for sample in samples}):
            own = {kind: places for kind, places in kinds.items() if samples[places[0]].seconds == seconds}
            known = [places for places in own.values() if samples[places[0]].known]
            false = {
                kind: float(accepted[places].mean()) for kind, places in own.items() if not samples[places[0]].known
            }
            share = np.mean([(right & accepted)[places].mean() for places in known]) if known else np.nan
            worst = max(false, key=lambda kind: false[kind], default="")
            yield ThresholdRow(
                float(threshold), probability(threshold), seconds, float(share), false.get(worst, float("nan")), worst
            )


def confidence_rows(samples: Sequence[Sample], log_odds: Array) -> Iterator[ConfidenceRow]:
    """Yield the mean confidence and the share of right candidates for each range of confidence that has any."""
    confidence = np.array([probability(odds) for odds in log_odds])
    right = np.array([sample.right for sample in samples], np.float64)
    weight = weights_of(samples)
    for low, high in pairwise(CONFIDENCE_EDGES):
        within = (confidence >= low) & (confidence <= high) & np.isfinite(log_odds)
        if within.any():
            mean, share = (float(np.average(values[within], weights=weight[within])) for values in (confidence, right))
            yield ConfidenceRow(low, high, mean, share, int(within.sum()))


def write(calibration: Calibration, path: Pathname) -> Path:
    """Write a calibration as JSON, and return its path; a reader finds the old one or the new one."""
    target = Path(path)
    with written_beside(target) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n")
    return target


def _kinds(samples: Sequence[Sample]) -> dict[str, list[int]]:
    """Return the places of the samples of each kind."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        kinds[sample.kind].append(place)
    return kinds


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
