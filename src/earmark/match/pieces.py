"""From the agreement of a clip and a track to pieces: parts of paths that lie on one line, with the times of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from earmark.match.agreement import Agreement
from earmark.match.compare.sequence import GapCosts, Path, edit_path, local_alignment
from earmark.match.lines import ONE_LINE_SECONDS
from earmark.match.stretches import SOFT_LOG_ODDS, SOFT_SECONDS, SWITCH_LOG_ODDS

# Nats. To leave a line and to come back costs twice a change of line; a cut of a minute is no likelier than one of a
# second; going back costs a change more, since music repeats itself. A clock that differs by 2 % drifts by a step of
# 1/16 s in 3 s, which agree by ten times as much.
GAPS = GapCosts(open=2 * SWITCH_LOG_ODDS, extend=0.01, drift=1.5, back=3 * SWITCH_LOG_ODDS)
LEAST_SUPPORT = 12.0  # nats of a path that is worth judging
CLEAR_DEVIATIONS = 4.8  # of the best diagonal: other tracks 3 to 4.6, the right one 9 to 20, by vectors alone 5
GAP_SECONDS = 1.0  # of a clip that may be left out of a piece, as by a drop-out
ROUNDS = 6  # paths through a clip and a track: what is repeated or turned round takes one more
SHORTEST_SECONDS = 1.25  # sound that a piece must hold to be told, as in explanation.py


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a clip and the part of a track that was laid on it, in seconds."""

    track: int
    start: float
    end: float
    track_start: float
    track_end: float
    support: float  # log odds of its segments, in nats
    total: float  # the same of all pieces that were found with it

    @property
    def seconds(self) -> float:
        """Its length in the clip."""
        return self.end - self.start

    def overlap(self, start: float, end: float) -> float:
        """Return how many seconds lie between two seconds."""
        return max(min(self.end, end) - max(self.start, start), 0.0)

    def reference_at(self, second: float) -> float:
        """Return the second of the track at a second of the clip."""
        return self.track_start + (self.track_end - self.track_start) / self.seconds * (second - self.start)

    def later(self, seconds: float) -> Piece:
        """Return the piece as of a clip that begins so much earlier."""
        return replace(self, start=self.start + seconds, end=self.end + seconds)


def pieces_of(agreement: Agreement, track: int, *, method: str) -> list[Piece]:
    """Return the pieces of a track in a clip, by "edit" distance or "local" alignment, in order of the clip."""
    if agreement.clearest < CLEAR_DEVIATIONS:
        return []
    lines = extended([line for path in _paths(agreement, method) for line in _lines(path, agreement)], agreement)
    total, half = sum(_support(line, agreement) for line in lines), agreement.step_seconds / 2
    found = list[Piece]()
    for line in lines:
        # What begins with the first segment begins with the clip, half a segment before its middle.
        before = agreement.window_seconds if line.rows[0] == 0 else half
        after = agreement.window_seconds if line.rows[-1] == len(agreement.log_odds) - 1 else half
        start, end = agreement.window_at(line.rows[0]) - before, agreement.window_at(line.rows[-1]) + after
        first, last = agreement.track_at(line.columns[0]) - before, agreement.track_at(line.columns[-1]) + after
        support = _support(line, agreement)
        found.append(Piece(track, float(start), float(end), float(first), float(last), support, total))
    return found


def without_repetitions(pieces: Sequence[Piece]) -> list[Piece]:
    """Return pieces of one track; where several hold the same seconds, those that were found with the most others."""
    kept = list[Piece]()
    for one in sorted(pieces, key=lambda one: (-one.total, one.start)):
        if all(one.overlap(other.start, other.end) <= one.seconds / 2 for other in kept):
            kept.append(one)
    return kept


def extended(lines: Sequence[Path], agreement: Agreement) -> list[Path]:
    """Return parts of paths in order of the clip, each up to its neighbours where little speaks against it.

    Between two, the border is where both together agree best; noise hides what is soft.
    """
    found = sorted(lines, key=lambda line: int(line.rows[0]))
    longest = round(SOFT_SECONDS / agreement.step_seconds)
    for number in range(len(found) + 1):
        low = int(found[number - 1].rows[-1]) + 1 if number else 0
        high = int(found[number].rows[0]) if number < len(found) else len(agreement.log_odds)
        if not 0 < high - low <= longest:
            continue
        ahead = _along(found[number - 1], agreement, -1, high - low) if number else None
        behind = _along(found[number], agreement, 0, high - low) if number < len(found) else None
        both = _both(ahead, behind)
        border = int(both.argmax())
        if both[border] >= -SOFT_LOG_ODDS:
            if ahead is not None and border:
                found[number - 1] = _longer(found[number - 1], ahead=border)
            if behind is not None and border < high - low:
                found[number] = _longer(found[number], behind=high - low - border)
    return found


def _paths(agreement: Agreement, method: str) -> Iterator[Path]:
    """Yield the best path through a clip and a track, then those through what it leaves of the clip."""
    left, waiting, shortest = ROUNDS, [(0, len(agreement.log_odds))], SHORTEST_SECONDS / agreement.step_seconds
    while waiting and left:
        first, last = max(waiting, key=lambda part: part[1] - part[0])
        waiting.remove((first, last))
        part = slice(first, last)
        path = edit_path(agreement.same[part]) if method == "edit" else local_alignment(agreement.log_odds[part], GAPS)
        path = replace(path, rows=path.rows + first)
        if _support(path, agreement) < LEAST_SUPPORT:
            continue
        left -= 1
        yield path
        edges = [first, *(row for line in _lines(path, agreement) for row in (line.rows[0], line.rows[-1] + 1)), last]
        parts = zip(map(int, edges[::2]), map(int, edges[1::2]), strict=True)
        waiting += [part for part in parts if part[1] - part[0] >= shortest]


def _lines(path: Path, agreement: Agreement) -> list[Path]:
    """Return the parts of a path that lie on one line."""
    drift, gap = (max(round(seconds / agreement.step_seconds), 1) for seconds in (ONE_LINE_SECONDS, GAP_SECONDS))
    edges = path.pieces(drift=drift, gap=gap)
    return [replace(path, rows=path.rows[low:high], columns=path.columns[low:high]) for low, high in edges]


def _support(path: Path, agreement: Agreement) -> float:
    return float(agreement.log_odds[path.rows, path.columns].sum())


def _along(line: Path, agreement: Agreement, end: int, count: int) -> NDArray[np.float64]:
    """Return the sums of the log odds of 0 to `count` steps after a line (`end` -1), or before it (0)."""
    steps = np.arange(1, count + 1) if end else -np.arange(1, count + 1)
    rows, columns = int(line.rows[end]) + steps, int(line.columns[end]) + steps
    inside = (columns >= 0) & (columns < agreement.log_odds.shape[1])
    values = np.where(inside, agreement.log_odds[rows, np.where(inside, columns, 0)], -np.inf)
    return np.concatenate([[0.0], np.cumsum(values)])


def _both(ahead: NDArray[np.float64] | None, behind: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return the sums where a line goes on to each step of a gap, and the next one begins there.

    At an end of the clip it is all of the gap or nothing: a path that could gain by a part of it has done so.
    """
    if ahead is not None and behind is not None:
        return ahead + behind[::-1]
    one = ahead if ahead is not None else behind
    assert one is not None  # a gap has a line on one side
    found = np.full(len(one), -np.inf)
    place = -1 if ahead is not None else 0
    found[place] = one[-1]
    return found


def _longer(line: Path, *, ahead: int = 0, behind: int = 0) -> Path:
    """Return a line that goes on for some steps, or begins some earlier."""
    after, before = np.arange(1, ahead + 1), np.arange(-behind, 0)
    rows = np.concatenate([line.rows[0] + before, line.rows, line.rows[-1] + after])
    return replace(
        line, rows=rows, columns=np.concatenate([line.columns[0] + before, line.columns, line.columns[-1] + after])
    )
