"""The demo's run: catalogs of most of the bundled music, clips of all of it, and what each catalog says of each."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import earmark
from earmark.apps.demo import excerpts
from earmark.apps.demo.clips import RATE, Clip, cut_clips
from earmark.errors import EarmarkError
from earmark.types import Answer

# Authors of these pieces have others in the catalog: "no match" does not come from the author's sound alone.
HELD_OUT = ("amoebax-menu.opus", "castle.opus", "forest.opus", "pen.opus")
CLIPS_A_CONDITION = 4
HELD_OUT_CLIPS_A_CONDITION = 1
TOLERANCE_SECONDS = 0.1  # largest error of the place; ten times the error of a clean clip
MISSED_AT_MOST = 0.1  # share of the known clips that may be missed; no answer may be wrong


@dataclass(frozen=True, slots=True)
class Attempt:
    """A clip and the answer it got."""

    clip: Clip
    known: bool  # the catalog holds its recording
    answer: Answer

    @property
    def place(self) -> float | None:
        """Where in the recording the clip begins, by the answer."""
        best = self.answer.best
        return None if best is None else best.reference_at(0.0)

    @property
    def verdict(self) -> str:
        """`right`, `missed` (no match, though it is known), or `wrong`."""
        best, place = self.answer.best, self.place
        if best is None or place is None:
            return "missed" if self.known else "right"
        there = Path(best.track.path) == self.clip.path and abs(place - self.clip.start) <= TOLERANCE_SECONDS
        return "right" if self.known and there else "wrong"


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of all clips with one fingerprinter, and what that cost."""

    fingerprinter: str
    attempts: tuple[Attempt, ...]
    indexing_seconds: float

    @property
    def seconds_a_clip(self) -> float:
        """What identifying took, at the median: the first clip waits for a child to start."""
        return median(attempt.answer.elapsed for attempt in self.attempts)

    @property
    def passed(self) -> bool:
        """Whether the answers are as they should be: none wrong, few missed."""
        verdicts = [attempt.verdict for attempt in self.attempts]
        known = sum(attempt.known for attempt in self.attempts)
        return "wrong" not in verdicts and verdicts.count("missed") <= MISSED_AT_MOST * known


def run(folder: Path, fingerprinters: Iterable[str], *, seed: int) -> list[Trial]:
    """Return what a catalog of each fingerprinter, made in `folder`, says of the same clips.

    Raises EarmarkError when a piece cannot be added.
    """
    known = [path for path in excerpts() if path.name not in HELD_OUT]
    unknown = [path for path in excerpts() if path.name in HELD_OUT]
    clips = [(clip, True) for clip in cut_clips(known, each=CLIPS_A_CONDITION, seed=seed)]
    clips += [(clip, False) for clip in cut_clips(unknown, each=HELD_OUT_CLIPS_A_CONDITION, seed=seed)]
    trials = []
    for name in fingerprinters:
        with earmark.open(folder / f"{name}.earmark", fingerprinter=name) as catalog:
            began = time.perf_counter()
            report = catalog.add(known)
            elapsed = time.perf_counter() - began
            if report.failed or len(report.added) != len(known):
                raise EarmarkError(f"the bundled music could not be indexed: {report.failed}; install earmark again")
            attempts = [Attempt(clip, known, catalog.identify((clip.samples, RATE))) for clip, known in clips]
        trials.append(Trial(name, tuple(attempts), elapsed))
    return trials
