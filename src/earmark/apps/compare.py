"""Compare two files: the longer one is put into a temporary catalog, which is asked what the other holds of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import earmark
from earmark.errors import MediaError
from earmark.types import Align, Answer, Match

MOST_PASSAGES = 10_000  # passages that two files can share
LEAST_GAP_SECONDS = 1.0  # shortest part, in seconds, that is told as being in one file alone


@dataclass(frozen=True, slots=True)
class SharedPassage:
    """Where two files hold the same sound, in seconds of each."""

    first_start: float
    first_end: float
    second_start: float
    second_end: float
    speed: float | None  # seconds of the second file's passage in a second of the first one's
    confidence: float

    @property
    def drift(self) -> float:
        """By how many millionths the second file's clock runs faster than the first one's, as the passages lie."""
        seconds = self.first_end - self.first_start
        return ((self.second_end - self.second_start) / seconds - 1) * 1e6 if seconds else 0.0


@dataclass(frozen=True, slots=True)
class FileComparison:
    """What two files have in common, in the order of the first; empty when they share nothing."""

    passages: tuple[SharedPassage, ...]
    first_seconds: float  # length of the first file
    second_seconds: float
    reason: str  # why there is none, as in an Answer
    elapsed: float  # seconds it took to ask

    @property
    def same(self) -> bool:
        """Whether they hold the same recording."""
        return bool(self.passages)

    @property
    def only_first(self) -> tuple[tuple[float, float], ...]:
        """The (start, end) of what of the first file is not in the second one, a second and more of it."""
        return _gaps(((one.first_start, one.first_end) for one in self.passages), self.first_seconds)

    @property
    def only_second(self) -> tuple[tuple[float, float], ...]:
        """The (start, end) of what of the second file is not in the first one, a second and more of it."""
        return _gaps(((one.second_start, one.second_end) for one in self.passages), self.second_seconds)


def compare(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    *,
    threshold: float | None = None,
    speed: bool = False,
    align: Align = "",
) -> FileComparison:
    """Say whether two files hold the same recording, and where.

    `speed` looks for other playing speeds too, `align` lays sequences of segments on each other, as in `identify`.

    Passages of at least `threshold` confidence count (default: the calibrated one). Raises MediaError for a file that
    cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="earmark-") as folder:
        ask = partial(_ask, threshold=threshold, speed=speed, align=align)
        answer, known_seconds = ask(Path(folder) / "first", first, second)
        is_swapped = answer.seconds > known_seconds
        if is_swapped:
            answer, known_seconds = ask(Path(folder) / "second", second, first)
    passages = [_passage(match) if is_swapped else _swap(_passage(match)) for match in answer.matches]
    passages.sort(key=lambda one: (one.first_start, one.second_start))
    lengths = (answer.seconds, known_seconds) if is_swapped else (known_seconds, answer.seconds)
    return FileComparison(tuple(passages), *lengths, reason=answer.reason, elapsed=answer.elapsed)


def _ask(
    folder: Path,
    known: str | os.PathLike[str],
    clip: str | os.PathLike[str],
    *,
    threshold: float | None,
    speed: bool,
    align: Align,
) -> tuple[Answer, float]:
    """Return what a catalog of one file says of the other, and how many seconds the first lasts."""
    with earmark.open(folder, any_speed=speed) as catalog:
        for path, reason in catalog.add([known], workers=1).failed:
            code, _, detail = reason.partition(": ")
            raise MediaError(code, detail, source=path)
        (track,) = catalog.tracks()
        answer = catalog.identify(
            clip, threshold=threshold, limit=MOST_PASSAGES, several=True, places=not align, speed=speed, align=align
        )
        return answer, track.seconds


def _passage(match: Match) -> SharedPassage:
    query, reference = (match.query_start, match.query_end), (match.reference_start, match.reference_end)
    return SharedPassage(*query, *reference, speed=match.speed, confidence=match.confidence)


def _swap(one: SharedPassage) -> SharedPassage:
    first, second = (one.first_start, one.first_end), (one.second_start, one.second_end)
    return SharedPassage(*second, *first, speed=one.speed and 1 / one.speed, confidence=one.confidence)


def _gaps(parts: Iterable[tuple[float, float]], seconds: float) -> tuple[tuple[float, float], ...]:
    """Return what of so many seconds lies in none of the parts."""
    gaps, reached = [], 0.0
    for start, end in [*sorted(parts), (seconds, seconds)]:
        if start - reached >= LEAST_GAP_SECONDS:
            gaps.append((reached, start))
        reached = max(reached, end)
    return tuple(gaps)
