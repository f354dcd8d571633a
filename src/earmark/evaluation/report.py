"""The report of a run: a row for every condition and length, and the reliability of its confidences."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from earmark.evaluation.metrics import (
    Reliability,
    Share,
    first_rank,
    mean_reciprocal_rank,
    recall_at,
    reliability,
    threshold_at,
)
from earmark.evaluation.queries import Query
from earmark.evaluation.run import Reply
from earmark.evaluation.truth import Given, SamePlace, Verdict, judge

RANKS = (1, 3, 5)  # ranks up to which recall is counted
COSTS = {  # what a run cost, as people read it
    "seconds_of_this_run": "The run took {:.0f} s.",
    "median_seconds_to_answer": "Half of the answers took less than {:.3f} s.",
    "index_real_time_a_core": "A core indexes {:,.0f} hours in an hour.",
    "megabytes_an_hour": "The catalog takes {:.2f} MB an hour of sound.",
    "processor_seconds_a_clip": "A clip takes {:.3f} s of a core.",
}
FALSE_POSITIVE_RATE = 0.01  # share of the worst kind of unknown clips, at the threshold of the column "@1% FPR"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A query, what was said, and what each candidate is worth, best first."""

    query: Query
    reply: Reply
    verdicts: tuple[Verdict, ...]

    @property
    def right(self) -> bool:
        """Whether what was answered is right."""
        return self.reply.accepted and self.verdicts[0].right

    @property
    def error(self) -> float:
        """Seconds by which the answer misses the place; inf when there is none or it is wrong."""
        return self.verdicts[0].error if self.right else math.inf

    @property
    def score(self) -> float:
        """Confidence in the first candidate; -inf without one."""
        first = self.reply.first
        return first.confidence if first else -math.inf

    @property
    def track_rank(self) -> int:
        """The rank of the right recording among the recordings, or 0."""
        kept: dict[str, bool] = {}
        for candidate, verdict in zip(self.reply.candidates, self.verdicts, strict=True):
            kept[candidate.track] = kept.get(candidate.track, False) or verdict.right
        return first_rank(list(kept.values()))

    @property
    def place_rank(self) -> int:
        """The rank of the right place, to half a second, among the candidates, or 0."""
        return first_rank([verdict.near for verdict in self.verdicts])


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one condition and length of clips of known music."""

    condition: str
    seconds: float
    snr_decibels: float | None
    rank1: Share  # the first candidate is right, accepted or not
    top1: Share  # the answer is right, by the catalog's own threshold
    at_fpr: Share | None  # right, at the threshold of one false answer in a hundred; None without negatives
    near: Share  # top-1, and in place to 0.5 s
    exact: Share  # top-1, and in place to 0.05 s
    wrong: Share  # something else was answered
    recall: dict[int, Share]  # share of clips with the right recording, by rank
    place_recall: dict[int, Share]  # share of clips with the right place, by rank
    mrr: float
    place_mrr: float
    median_error: float | None  # seconds, of right answers


@dataclass(frozen=True, slots=True)
class NegativeRow:
    """The figures of one condition and length of clips that the catalog does not know."""

    condition: str
    seconds: float
    false: Share  # answered all the same


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a run."""

    rows: tuple[Row, ...]
    negatives: tuple[NegativeRow, ...]
    calibration: Reliability | None  # None when nothing had a candidate
    parameters: Mapping[str, Any]
    cost: Mapping[str, float]


def outcomes_of(queries: Sequence[Query], replies: Sequence[Reply], same_place: SamePlace) -> list[Outcome]:
    """Return queries with their replies, judged."""
    outcomes = []
    for query, reply in zip(queries, replies, strict=True):
        candidates: tuple[Given, ...] = reply.candidates
        outcomes.append(Outcome(query, reply, tuple(judge(query, one, same_place) for one in candidates)))
    return outcomes


def summarise(outcomes: Sequence[Outcome], *, parameters: Mapping[str, Any], cost: Mapping[str, float]) -> Report:
    """Return the figures of all conditions, in the order in which they came."""
    groups: dict[tuple[str, float], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.query.condition, outcome.query.seconds), []).append(outcome)
    thresholds = _thresholds(groups)
    known = [group for group in groups.values() if group[0].query.track is not None]
    unknown = [group for group in groups.values() if group[0].query.track is None]
    answered = [outcome for outcome in outcomes if outcome.reply.candidates]
    calibration = (
        reliability([one.score for one in answered], [one.verdicts[0].right for one in answered]) if answered else None
    )
    rows = tuple(_row(group, thresholds.get(group[0].query.seconds, math.nan)) for group in known)
    negatives = tuple(_negative_row(group) for group in unknown)
    return Report(rows, negatives, calibration, parameters, cost)


def _thresholds(groups: Mapping[tuple[str, float], Sequence[Outcome]]) -> dict[float, float]:
    kinds: dict[float, list[list[float]]] = {}
    for (_, seconds), group in groups.items():
        if group[0].query.track is None:
            kinds.setdefault(seconds, []).append([outcome.score for outcome in group])
    return {seconds: threshold_at(FALSE_POSITIVE_RATE, scores) for seconds, scores in kinds.items()}


def _row(group: Sequence[Outcome], threshold: float) -> Row:
    query = group[0].query
    ranks, places = [one.track_rank for one in group], [one.place_rank for one in group]
    errors = [one.error for one in group if math.isfinite(one.error)]
    first_right = [bool(one.verdicts) and one.verdicts[0].right for one in group]
    at_fpr = [right and one.score > threshold for one, right in zip(group, first_right, strict=True)]
    return Row(
        condition=query.condition,
        seconds=query.seconds,
        snr_decibels=query.snr_decibels,
        rank1=Share.of(first_right),
        top1=Share.of(one.right for one in group),
        at_fpr=None if math.isnan(threshold) else Share.of(at_fpr),
        near=Share.of(one.right and one.verdicts[0].near for one in group),
        exact=Share.of(one.right and one.verdicts[0].exact for one in group),
        wrong=Share.of(one.reply.accepted and not one.right for one in group),
        recall={k: recall_at(ranks, k) for k in RANKS},
        place_recall={k: recall_at(places, k) for k in RANKS},
        mrr=mean_reciprocal_rank(ranks),
        place_mrr=mean_reciprocal_rank(places),
        median_error=float(np.median(errors)) if errors else None,
    )


def _negative_row(group: Sequence[Outcome]) -> NegativeRow:
    query = group[0].query
    return NegativeRow(query.condition, query.seconds, Share.of(one.reply.accepted for one in group))


COLUMNS = (
    "condition",
    "s",
    "clips",
    "rank-1",
    "top-1",
    "95 %",
    "@1% FPR",
    "near",
    "exact",
    "wrong",
    "R@5",
    "MRR",
    "ms",
)


def table_rows(report: Report) -> list[tuple[str, ...]]:
    """Return the cells of the table, in per cent; negatives follow, with the share that was answered under `wrong`."""
    cells = []
    for row in report.rows:
        error = "" if row.median_error is None else f"{1000 * row.median_error:.0f}"
        fpr = "" if row.at_fpr is None else _percent(row.at_fpr)
        figures = [_percent(row.rank1), _percent(row.top1), _interval(row.top1), fpr]
        figures += [_percent(row.near), _percent(row.exact), _percent(row.wrong)]
        figures += [_percent(row.recall[5]), f"{row.mrr:.3f}", error]
        cells.append((row.condition, f"{row.seconds:g}", str(row.top1.total), *figures))
    for negative in report.negatives:
        share, blank = negative.false, ""
        figures = [blank, blank, _interval(share), blank, blank, blank, _percent(share), blank, blank, blank]
        cells.append((negative.condition, f"{negative.seconds:g}", str(share.total), *figures))
    return cells


def markdown(report: Report) -> str:
    """Return the report as a page."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row) + " |" for row in table_rows(report)]
    lines += ["", *sentences(report)]
    return "\n".join(lines) + "\n"


def sentences(report: Report) -> list[str]:
    """Return what the table does not hold: means over conditions, calibration and cost."""
    lines = []
    for seconds in sorted({row.seconds for row in report.rows}):
        rows = [row for row in report.rows if row.seconds == seconds]
        means = [100 * float(np.mean([share.value for share in shares])) for shares in
                 ([row.rank1 for row in rows], [row.top1 for row in rows])]  # fmt: skip
        lines.append(
            f"Clips of {seconds:g} s, mean of {len(rows)} conditions: rank-1 {means[0]:.1f} %, top-1 {means[1]:.1f} %."
        )
    if not report.negatives:
        lines.append("No clip was of unknown sound, so false answers were not counted.")
    if report.calibration is not None:
        error, brier = report.calibration.expected_error, report.calibration.brier
        lines.append(
            f"Confidence misses the truth by {error:.3f} on the average (ECE); its Brier score is {brier:.3f}."
        )
    said = {name: COSTS.get(name, f"{name.replace('_', ' ')}: {{:.4g}}") for name in report.cost}
    return lines + [sentence.format(report.cost[name]) for name, sentence in said.items()]


def record(report: Report) -> dict[str, Any]:
    """Return the report as what JSON can hold, with an interval beside every share."""
    return {
        "parameters": dict(report.parameters),
        "cost": dict(report.cost),
        "conditions": [_plain(row) for row in report.rows],
        "negatives": [_plain(row) for row in report.negatives],
        "calibration": None if report.calibration is None else _plain(report.calibration),
    }


def write(report: Report, folder: Path) -> list[Path]:
    """Write report.json and report.md, and return their paths."""
    table, page = folder / "report.json", folder / "report.md"
    table.write_text(json.dumps(record(report), indent=1, default=str) + "\n")
    page.write_text(markdown(report))
    return [table, page]


def _plain(values: Row | NegativeRow | Reliability) -> dict[str, Any]:
    return {name: _jsonable(getattr(values, name)) for name in values.__dataclass_fields__}


def _jsonable(value: Any) -> Any:
    if isinstance(value, Share):
        return {**asdict(value), "share": value.value, "interval": value.interval}
    if isinstance(value, dict):
        return {str(key): _jsonable(one) for key, one in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def _percent(share: Share) -> str:
    return f"{100 * share.value:.1f}"


def _interval(share: Share) -> str:
    low, high = share.interval
    return f"{100 * low:.1f}-{100 * high:.1f}"
