"""Compare two files: the longer one is put into a temporary catalog, which is asked for the shorter (decision 2)."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import earmark
from earmark.errors import MediaError
from earmark.types import Answer, Match


@dataclass(frozen=True, slots=True)
class SharedPassage:
    """Where two files hold the same sound, in seconds of each."""

    first_start: float
    first_end: float
    second_start: float
    second_end: float
    speed: float | None  # seconds of the second file's passage in a second of the first one's; None if not sure
    confidence: float


@dataclass(frozen=True, slots=True)
class FileComparison:
    """What two files have in common, surest first; empty when they are not the same recording."""

    passages: tuple[SharedPassage, ...]
    reason: str  # why there is none, as in an Answer
    elapsed: float  # seconds it took to ask

    @property
    def same(self) -> bool:
        """Whether they hold the same recording."""
        return bool(self.passages)


def compare(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    *,
    threshold: float | None = None,
    speed: bool = False,
) -> FileComparison:
    """Say whether two files hold the same recording, and where; `speed` looks for other playing speeds too.

    Passages of at least `threshold` confidence count (default: the calibrated one). Raises MediaError for a file that
    cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="earmark-") as folder:
        answer, first_seconds = _ask(Path(folder) / "first", first, second, threshold=threshold, speed=speed)
        is_swapped = answer.seconds > first_seconds
        if is_swapped:
            answer, _ = _ask(Path(folder) / "second", second, first, threshold=threshold, speed=speed)
    passages = [_passage(match) if is_swapped else _swap(_passage(match)) for match in answer.matches]
    return FileComparison(tuple(passages), answer.reason, answer.elapsed)


def _ask(
    folder: Path,
    known: str | os.PathLike[str],
    clip: str | os.PathLike[str],
    *,
    threshold: float | None,
    speed: bool,
) -> tuple[Answer, float]:
    """Return what a catalog of one file says of the other, and how many seconds the first lasts."""
    with earmark.open(folder, any_speed=speed) as catalog:
        for path, reason in catalog.add([known], workers=1).failed:
            code, _, detail = reason.partition(": ")
            raise MediaError(code, f"{path}: {detail}" if detail else path)
        (track,) = catalog.tracks()
        return catalog.identify(clip, threshold=threshold, speed=speed), track.seconds


def _passage(match: Match) -> SharedPassage:
    query, reference = (match.query_start, match.query_end), (match.reference_start, match.reference_end)
    return SharedPassage(*query, *reference, speed=match.speed, confidence=match.confidence)


def _swap(one: SharedPassage) -> SharedPassage:
    first, second = (one.first_start, one.first_end), (one.second_start, one.second_end)
    return SharedPassage(*second, *first, speed=one.speed and 1 / one.speed, confidence=one.confidence)
