"""What a catalog found in a scene, compared with the truth.

A passage is right for a piece where they overlap, if it names the piece's track and place, or a place of any track
that sounds the same there. It is invented unless it is right for at least half of its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from earmark.evaluation.scenes.scene import Piece, Scene
from earmark.evaluation.truth import NEAR_SECONDS, SamePlace

LEAST_OVERLAP = 0.5  # seconds, or half of a shorter piece, that a passage has of a piece that it is right for
NAMED_SECONDS = 1.0  # seconds, or half of a shorter piece, that must be found for it to be named
COMPARED_SECONDS = 8.0  # longest stretch of two recordings whose sound is compared
TOUCHING_SECONDS = 0.25  # seconds between two pieces that follow each other
RIGHT_SHARE = 0.5  # share of its time for which a passage is right, below which it is invented
WITHIN = 0.8  # share of a passage inside another one of the same piece from which it is no fragment but a repetition

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Detection:
    """A passage that a catalog found."""

    track: str
    query_start: float
    query_end: float
    reference_start: float
    speed: float
    confidence: float

    @property
    def span(self) -> Span:
        """From when to when."""
        return self.query_start, self.query_end

    def reference_at(self, query_second: float) -> float:
        """Return the second of the recording that it names for a second of the scene."""
        return self.reference_start + (query_second - self.query_start) * self.speed


@dataclass(frozen=True, slots=True)
class PieceScore:
    """How well one piece was found; borders and speed are None where it is not named."""

    label: str
    seconds: float
    found_seconds: float  # seconds that a right passage covers
    named: bool
    start_error: float | None = None  # seconds; above 0: too late
    end_error: float | None = None  # seconds; above 0: too late
    fragments: int = 0  # passages that it was found in
    speed_error: float | None = None  # found / true - 1, of the longest passage

    @property
    def border_error(self) -> float:
        """Seconds by which the worse border is missed; infinite where the piece is not named."""
        if self.start_error is None or self.end_error is None:
            return float("inf")
        return max(abs(self.start_error), abs(self.end_error))

    @property
    def over_seconds(self) -> float:
        """Seconds that passages go beyond its borders."""
        return max(-(self.start_error or 0.0), 0.0) + max(self.end_error or 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class SceneScore:
    """How well one scene was found."""

    scene: Scene
    pieces: tuple[PieceScore, ...]
    invented: tuple[Detection, ...]
    detected_seconds: float
    right_seconds: float  # seconds of those that are right
    processor_seconds: float = 0.0

    @property
    def misplaced(self) -> tuple[Detection, ...]:
        """What is invented though its track plays then: at another place."""
        return tuple(one for one in self.invented if any(_overlaps(one, piece) for piece in self.scene.pieces))

    @property
    def all_named(self) -> bool:
        """Whether every piece is named; of a scene without any, whether nothing is found."""
        return all(piece.named for piece in self.pieces) if self.pieces else not self.invented


def score(
    scene: Scene, detections: Sequence[Detection], same_place: SamePlace, *, processor_seconds: float = 0.0
) -> SceneScore:
    """Return how well a scene was found; `same_place` is that of `truth.Sameness`."""
    pieces = scene.pieces
    right = [[_is_right(passage, piece, same_place) for piece in pieces] for passage in detections]
    right_seconds = []
    for passage, flags in zip(detections, right, strict=True):
        heard = [(piece.heard_start, piece.heard_end) for piece, flag in zip(pieces, flags, strict=True) if flag]
        right_seconds.append(covered(passage.span, heard))
    lengths = [passage.query_end - passage.query_start for passage in detections]
    shares = [known / length if length > 0 else 0.0 for known, length in zip(right_seconds, lengths, strict=True)]
    invented = [passage for passage, share in zip(detections, shares, strict=True) if share < RIGHT_SHARE]
    scores = []
    for number, piece in enumerate(pieces):
        mine = [(one, flags) for one, flags in zip(detections, right, strict=True) if flags[number]]
        scores.append(_piece_score(number, pieces, mine) if mine else _lost(piece))
    return SceneScore(scene, tuple(scores), tuple(invented), sum(lengths), sum(right_seconds), processor_seconds)


def covered(span: Span, others: Sequence[Span]) -> float:
    """Return how many seconds of a span lie in any of the others."""
    total, reached = 0.0, span[0]
    for start, end in sorted(others):
        first, last = max(start, reached), min(end, span[1])
        if last > first:
            total, reached = total + last - first, last
    return total


def _is_right(passage: Detection, piece: Piece, same_place: SamePlace) -> bool:
    first, last = max(passage.query_start, piece.heard_start), min(passage.query_end, piece.heard_end)
    if last - first < min(LEAST_OVERLAP, piece.seconds / 2):
        return False
    middle = (first + last) / 2
    if passage.track == piece.track and abs(passage.reference_at(middle) - piece.reference_at(middle)) <= NEAR_SECONDS:
        return True
    half = min(last - first, COMPARED_SECONDS) / 2
    start, found_start = piece.reference_at(middle - half), passage.reference_at(middle - half)
    return same_place(piece.track, start, passage.track, found_start, 2 * half * piece.speed) is not None


def _overlaps(passage: Detection, piece: Piece) -> bool:
    """Return whether a passage names a piece's track while that is heard."""
    together = min(passage.query_end, piece.heard_end) - max(passage.query_start, piece.heard_start)
    return passage.track == piece.track and together > 0


def _lost(piece: Piece) -> PieceScore:
    return PieceScore(piece.label, piece.seconds, 0.0, named=False)


def _piece_score(number: int, pieces: Sequence[Piece], mine: Sequence[tuple[Detection, Sequence[bool]]]) -> PieceScore:
    """Return the score of a piece from the passages that are right for it, each with the pieces it is right for."""
    piece = pieces[number]
    spans = [_own_span(passage, flags, number, pieces) for passage, flags in mine]
    found = covered((piece.query_start, piece.query_end), spans)
    if found < min(NAMED_SECONDS, piece.seconds / 2):
        return PieceScore(piece.label, piece.seconds, found, named=False)
    longest = max((passage for passage, _ in mine), key=lambda one: one.query_end - one.query_start)
    return PieceScore(
        label=piece.label,
        seconds=piece.seconds,
        found_seconds=found,
        named=True,
        start_error=min(start for start, _ in spans) - piece.query_start,
        end_error=max(end for _, end in spans) - piece.query_end,
        fragments=_fragments(spans),
        speed_error=longest.speed / piece.speed - 1,
    )


def _own_span(passage: Detection, flags: Sequence[bool], number: int, pieces: Sequence[Piece]) -> Span:
    """Return a passage's span, cut at a border beyond which it is right too: there both pieces sound the same."""
    piece, (start, end) = pieces[number], passage.span
    for other, is_right in zip(pieces, flags, strict=True):
        if is_right and abs(other.query_end - piece.query_start) < TOUCHING_SECONDS:
            start = max(start, piece.query_start)
        if is_right and abs(other.query_start - piece.query_end) < TOUCHING_SECONDS:
            end = min(end, piece.query_end)
    return start, end


def _fragments(spans: Sequence[Span]) -> int:
    """Return how many passages there are, not counting those that lie within a longer one."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: one[0] - one[1]):
        if all(covered(span, [other]) < WITHIN * (span[1] - span[0]) for other in kept):
            kept.append(span)
    return len(kept)
