"""The demo's run: a catalog of most of the bundled music, clips of all of it, and what the catalog says of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import earmark
from earmark.apps.demo import excerpts
from earmark.apps.demo.clips import RATE, Clip, cut_clips
from earmark.errors import EarmarkError
from earmark.types import Answer

# By authors of whom other pieces are known, so that "no match" is not for want of the author's sound.
HELD_OUT = ("amoebax-menu.opus", "castle.opus", "forest.opus", "pen.opus")
CLIPS_A_CONDITION = 4
HELD_OUT_CLIPS_A_CONDITION = 1
TOLERANCE_SECONDS = 0.1  # of the place; an order above what a clean clip misses by
MISSED_AT_MOST = 0.1  # of the clips whose recording is known; a wrong answer is never right


@dataclass(frozen=True, slots=True)
class Attempt:
    """A clip and the answer it got."""

    clip: Clip
    known: bool  # whether its recording is in the catalog
    answer: Answer

    @property
    def place(self) -> float | None:
        """Where in the recording the clip begins, by the answer."""
        best = self.answer.best
        return None if best is None else best.reference_start - best.query_start * best.speed

    @property
    def verdict(self) -> str:
        """`right`, `missed` (no match, though it is known), or `wrong`."""
        best, place = self.answer.best, self.place
        if best is None or place is None:
            return "missed" if self.known else "right"
        there = Path(best.track.path) == self.clip.path and abs(place - self.clip.start) <= TOLERANCE_SECONDS
        return "right" if self.known and there else "wrong"


def run(folder: Path, *, seed: int) -> Iterator[Attempt]:
    """Yield what a catalog made in `folder` says of each clip; raises EarmarkError when a piece cannot be added."""
    known = [path for path in excerpts() if path.name not in HELD_OUT]
    unknown = [path for path in excerpts() if path.name in HELD_OUT]
    with earmark.open(folder / "demo.earmark") as catalog:
        report = catalog.add(known)
        if report.failed or len(report.added) != len(known):
            raise EarmarkError(f"the bundled music could not be indexed: {report.failed}; install earmark again")
        for clip in cut_clips(known, each=CLIPS_A_CONDITION, seed=seed):
            yield Attempt(clip, True, catalog.identify((clip.samples, RATE)))
        for clip in cut_clips(unknown, each=HELD_OUT_CLIPS_A_CONDITION, seed=seed):
            yield Attempt(clip, False, catalog.identify((clip.samples, RATE)))


def passed(attempts: list[Attempt]) -> bool:
    """Return whether the answers are as they should be: none wrong, few missed."""
    verdicts = [attempt.verdict for attempt in attempts]
    known = sum(attempt.known for attempt in attempts)
    return "wrong" not in verdicts and verdicts.count("missed") <= MISSED_AT_MOST * known
