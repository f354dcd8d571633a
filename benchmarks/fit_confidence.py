"""Fit the confidence's weights on clips whose truth is known, and print what each threshold would let through.

    python benchmarks/fit_confidence.py music.earmark CLIPS --corpus FOLDER [--also small.earmark ...]
        [--unknown OTHER_CLIPS ...]

CLIPS holds queries.csv (clip_id, path, condition, seconds, track_id, start, speed; no track_id: not in the catalog) and
FOLDER the recordings with music.csv (track_id, path). All clips of OTHER_CLIPS are unknown, whatever they say. The
clips are asked of each catalog, of different sizes, so that the weights suit them all. A small one should hold
recordings of other origin than the clips, or samples that both share pass for false answers. Every condition of each
weighs the same, known and unknown clips together the same. The weights go into match/confidence.py, those of a catalog
of vectors into match/line_confidence.py; there, each of a few lengths has its own.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

import earmark
from earmark.match import confidence, line_confidence

Array = NDArray[np.float64]
RIDGE = 1e-3  # penalty of standardised weights; keeps them finite where one feature separates all


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip's best candidate and whether it is right."""

    kind: str  # condition@seconds
    seconds: float
    known: bool
    right: bool
    features: tuple[float, ...]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def line_model(catalog: earmark.Catalog) -> line_confidence.LineModel | None:
    """Return the model of a catalog of vectors, None for one of landmarks."""
    information = catalog.info()
    if information["fingerprinter"] == "shazam":
        return None
    return line_confidence.CHECKED if information["preset"].get("peaks", True) else line_confidence.ALONE


def features_of(evidence: Mapping[str, float], model: line_confidence.LineModel | None) -> tuple[float, ...]:
    """Return the figures that a model weighs."""
    values = {name: float(value) for name, value in evidence.items()}
    if model is not None:
        return model.figures(line_confidence.LineEvidence(**values))
    return confidence.features(confidence.Evidence(**values))


def candidates(
    catalog: earmark.Catalog, clips: Path, names: dict[str, str], *, unknown: bool, only: set[str]
) -> Iterable[Clip]:
    """Yield the best candidate of each clip of a folder; a clip without one says nothing for the fit."""
    model = line_model(catalog)
    held = {names.get(str(Path(track.path).resolve()), track.id) for track in catalog}
    prefix = f"{'unknown:' if unknown else ''}{len(catalog)} tracks:"
    queries = [one for one in rows(clips / "queries.csv") if not only or one["condition"] in only]
    answers = catalog.identify_many([str(clips / query["path"]) for query in queries], threshold=0, limit=1)
    for query, answer in zip(queries, answers, strict=True):
        if answer.best is None:
            continue
        track = names.get(str(Path(answer.best.track.path).resolve()), answer.best.track.id)
        known = query["track_id"] in held and not unknown
        asked = "" if known or unknown or not query["track_id"] else "not held:"
        kind = f"{prefix}{asked}{query['condition']}@{query['seconds']}"
        right = known and track == query["track_id"]
        yield Clip(kind, float(query["seconds"]), known, right, features_of(answer.best.evidence, model))


def weights_of(clips: list[Clip]) -> Array:
    """Return a weight for each clip: equal for every kind, and for known and unknown together."""
    kinds = np.array([clip.kind for clip in clips])
    known = np.array([clip.known for clip in clips])
    weight = np.zeros(len(clips))
    for kind in set(kinds):
        weight[kinds == kind] = 1 / (kinds == kind).sum()
    for side in (known, ~known):
        weight[side] /= weight[side].sum()
    return weight * len(clips) / 2


def fitted(inputs: Array, right: Array, weight: Array, *, rising: Collection[int] = ()) -> Array:
    """Return the logistic model's weights for features (n, d), the first of which is the constant 1.

    Features `rising` can only speak for a match: their weights are not negative, whatever the clips say.
    """
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0)
    mean[0], deviation[0] = 0.0, 1.0
    standard = (inputs - mean) / deviation

    def loss(beta: Array) -> tuple[float, Array]:
        odds = standard @ beta
        gradient = standard.T @ (weight * (1 / (1 + np.exp(-odds)) - right))
        penalty = 2 * RIDGE * np.append(0.0, beta[1:])
        value = weight @ (np.logaddexp(0, odds) - right * odds) + RIDGE * (beta[1:] ** 2).sum()
        return float(value), gradient + penalty

    bounds = [(0.0 if feature in rising else None, None) for feature in range(inputs.shape[1])]
    beta = scipy.optimize.minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    result: Array = beta / deviation
    result[0] = beta[0] - float((beta * mean / deviation)[1:].sum())
    return result


def fitted_by_length(clips: list[Clip], lengths: Sequence[float], rising: Collection[int]) -> tuple[Array, Array]:
    """Return (weights, one row a length; log odds of each clip); a clip belongs to the nearest length."""
    inputs = np.array([clip.features for clip in clips])
    right = np.array([clip.right for clip in clips], float)
    known = np.log(lengths)
    nearest = np.array([int(np.abs(known - np.log(clip.seconds)).argmin()) for clip in clips])
    models = []
    for number in range(len(lengths)):
        own = nearest == number
        part = [clip for clip, is_own in zip(clips, own, strict=True) if is_own]
        models.append(fitted(inputs[own], right[own], weights_of(part), rising=rising))
    odds = np.einsum("nf,nf->n", inputs, np.array(models)[nearest])
    return np.array(models), odds


def print_thresholds(clips: list[Clip], odds: Array) -> None:
    """Print, for some thresholds, the share of right answers and the worst share of false ones, by length."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for place, clip in enumerate(clips):
        kinds[clip.kind].append(place)
    right = np.array([clip.right for clip in clips])
    print("log odds  probability  seconds   right   worst kind of unknown clips")
    for threshold in np.arange(0.0, 7.5, 0.5):
        for seconds in sorted({kind.rsplit("@", 1)[1] for kind in kinds}, key=float):
            known = [odds[places] for kind, places in kinds.items() if _is(kind, seconds, clips[places[0]], True)]
            hits = [right[places] for kind, places in kinds.items() if _is(kind, seconds, clips[places[0]], True)]
            false = {
                kind: float((odds[places] >= threshold).mean())
                for kind, places in kinds.items()
                if _is(kind, seconds, clips[places[0]], False)
            }
            share = np.mean([(hit & (odd >= threshold)).mean() for hit, odd in zip(hits, known, strict=True)])
            worst = max(false, key=lambda kind: false[kind], default="-")
            print(
                f"{threshold:8.1f}  {1 / (1 + np.exp(-threshold)):11.3f}  {seconds:>7}  {share:6.1%}   "
                f"{false.get(worst, float('nan')):.2%} {worst}"
            )


def _is(kind: str, seconds: str, clip: Clip, known: bool) -> bool:
    return kind.endswith(f"@{seconds}") and clip.known == known


def print_calibration(clips: list[Clip], odds: Array, weight: Array) -> None:
    """Print, for ranges of confidence, the mean confidence and the share that is right."""
    probability, right = 1 / (1 + np.exp(-odds)), np.array([clip.right for clip in clips], float)
    print("confidence   mean   right   clips")
    edges = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1.0]
    for low, high in pairwise(edges):
        within = (probability >= low) & (probability <= high)
        if within.any():
            mean, share = (np.average(values[within], weights=weight[within]) for values in (probability, right))
            print(f"{low:.2f}-{high:.2f}    {mean:.3f}   {share:.3f}   {within.sum()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--also", type=Path, action="append", default=[], help="catalogs of another size")
    parser.add_argument("--unknown", type=Path, action="append", default=[])
    parser.add_argument("--only", default="", help="conditions, with commas")
    arguments = parser.parse_args()
    music = rows(arguments.corpus / "music.csv")
    names = {str((arguments.corpus / row["path"]).resolve()): row["track_id"] for row in music}
    only = set(arguments.only.split(",")) - {""}
    clips: list[Clip] = []
    specs: set[str] = set()
    for path in (arguments.catalog, *arguments.also):
        with earmark.open(path, create=False, read_only=True) as catalog:
            model = line_model(catalog)
            specs.add(str(catalog.info()["spec"]))
            clips += candidates(catalog, arguments.clips, names, unknown=False, only=only)
            for folder in arguments.unknown:
                clips += candidates(catalog, folder, names, unknown=True, only=only)
    if len(specs) > 1:
        parser.error(f"the catalogs hold {', '.join(sorted(specs))}: give catalogs of one kind")
    lengths, rising = (line_confidence.LENGTHS, model.rising) if model else ((1.0,), ())
    models, odds = fitted_by_length(clips, lengths, rising)
    for weights in models:
        print(tuple(round(float(value), 3) for value in weights))
    print_thresholds(clips, odds)
    print_calibration(clips, odds, weights_of(clips))


if __name__ == "__main__":
    main()
