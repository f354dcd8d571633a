"""Runner-ups and duplicates: when the first candidate is decisive, and tracks that hold the same sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from earmark.match.look import Look
from earmark.match.passages import Passage
from earmark.match.protocol import Candidate, Placement
from earmark.match.rivals import (
    BEHIND_A_DUPLICATE,
    DECISIVE_Z,
    MOST_DUPLICATES,
    PLAIN_Z,
    RUNNER_UP_SHARE,
    SIMILAR_SHARE,
    behind_duplicates,
    best_of_each_track,
    duplicates_of,
    is_decisive,
)
from earmark.types import VECTOR_SCALE, Layer
from tests.match.shelf import Shelf, cut, shelf_with, with_noise


def candidate(track: int, z: float, *, score: float | None = None, start: float = 0.0) -> Candidate:
    placements = {"peaks": Placement(start, 1.0, {"z": z})}
    return Candidate(track, start, placements=placements, score=z if score is None else score)


def all_same(one: Candidate, other: Candidate) -> bool:
    return True


def never_same(one: Candidate, other: Candidate) -> bool:
    return False


def not_asked(one: Candidate, other: Candidate) -> bool:
    raise AssertionError("nothing had to be compared")


# --- by the figures alone


def test_each_track_keeps_the_candidate_with_the_largest_score() -> None:
    found = best_of_each_track([candidate(1, 5.0), candidate(2, 9.0), candidate(1, 7.0, start=3.0), candidate(3, 7.0)])
    assert [(one.track, one.start) for one in found] == [(2, 0.0), (1, 3.0), (3, 0.0)]


def test_a_low_z_is_never_decisive_and_a_high_one_is_without_a_runner_up() -> None:
    assert not is_decisive([], not_asked)
    assert not is_decisive([candidate(1, DECISIVE_Z - 0.01), candidate(2, 0.0)], not_asked)
    assert is_decisive([candidate(1, DECISIVE_Z)], not_asked)
    assert is_decisive([candidate(1, 20.0), candidate(2, 20.0 * RUNNER_UP_SHARE - 0.01)], not_asked)


def test_a_runner_up_that_is_near_makes_it_undecided_unless_it_is_a_duplicate() -> None:
    ranked = [candidate(1, 20.0), candidate(2, 20.0 * RUNNER_UP_SHARE)]
    assert not is_decisive(ranked, never_same)
    assert is_decisive(ranked, all_same)
    both = [*ranked, candidate(3, 19.0)]
    assert not is_decisive(both, lambda one, other: other.track == 2)


def test_duplicates_are_looked_for_among_similar_tracks_of_a_plain_match() -> None:
    ranked = [candidate(1, 20.0), candidate(2, 20 * SIMILAR_SHARE), candidate(3, 20 * SIMILAR_SHARE + 0.1)]
    assert duplicates_of(ranked[0], ranked, all_same) == {3}
    assert duplicates_of(ranked[0], ranked, never_same) == frozenset()
    faint = [candidate(1, PLAIN_Z - 0.1), candidate(2, PLAIN_Z - 0.1)]
    assert duplicates_of(faint[0], faint, not_asked) == frozenset()


def test_no_more_tracks_are_compared_than_the_ten_with_the_largest_z() -> None:
    ranked = [candidate(number, 30.0 - 0.1 * number) for number in range(30)]
    asked: list[int] = []

    def same(one: Candidate, other: Candidate) -> bool:
        asked.append(other.track)
        return True

    assert duplicates_of(ranked[0], ranked, same) == set(range(1, MOST_DUPLICATES))
    assert asked == list(range(1, MOST_DUPLICATES))


def test_a_duplicate_is_less_sure_by_next_to_nothing_and_keeps_its_place() -> None:
    first = Passage(1, 9.0, 0.0, 5.0, 0.0, 5.0, 1.0, 1.0, 0.01, {})
    surer, less = replace(first, track=2, log_odds=11.0), replace(first, track=3, log_odds=4.0)
    assert behind_duplicates(surer, [first]).log_odds == 9.0 - BEHIND_A_DUPLICATE
    assert behind_duplicates(less, [first]) == less
    assert behind_duplicates(surer, []) == surer


# --- on recordings


def of_originals(shelf: Shelf, originals: Sequence[int]) -> Shelf:
    """Some recordings of a shelf in a catalog of their own, found by their vectors alone."""
    fingerprints = {number: shelf.fingerprints[original] for number, original in enumerate(originals)}
    return shelf_with(shelf.maker, shelf.sounds, fingerprints, channels=["vectors"])


def test_two_copies_of_a_recording_are_both_named(shelf: Shelf) -> None:
    found = of_originals(shelf, (2, 3, 2)).ask(cut(shelf.sounds[2], 8.0, 5.0))
    assert [match.track for match in found[:2]] == [0, 2]
    assert found[0].reference_start == pytest.approx(found[1].reference_start, abs=1e-6)
    if shelf.has_peaks:  # they say that the two are copies, and a copy is no rival
        assert (found[0].copies, found[1].copies) == ({2}, {0})
        assert found[1].confidence == pytest.approx(found[0].confidence, abs=0.01)
        assert all(one.evidence["rival_contrast"] < 0.7 * one.evidence["contrast"] for one in found[:2])
        assert found[1].confidence > shelf.threshold


def test_of_two_copies_the_one_that_more_peaks_speak_for_comes_first(with_peaks: Shelf) -> None:
    whole = with_peaks.fingerprints[2]
    peaks, vectors = whole.layers["peaks"], whole.layers["vectors"]
    kept = np.arange(len(peaks.frames)) % 4 > 0
    fewer = Layer(peaks.frames[kept], peaks.values[kept], peaks.frame_seconds)
    blurred = vectors.values + np.random.default_rng(1).normal(0, 8, vectors.values.shape)
    blurred *= VECTOR_SCALE / np.linalg.norm(blurred, axis=1, keepdims=True)
    worse = replace(vectors, values=np.clip(np.rint(blurred), -127, 127).astype(np.int8))
    fingerprints = {
        0: replace(whole, layers={**whole.layers, "peaks": fewer}),
        1: replace(whole, layers={**whole.layers, "vectors": worse}),
        2: with_peaks.fingerprints[3],
    }
    shelf = shelf_with(with_peaks.maker, with_peaks.sounds, fingerprints, channels=["vectors"])
    first, second = shelf.ask(cut(with_peaks.sounds[2], 8.0, 5.0))[:2]
    assert (first.track, second.track) == (1, 0)
    assert first.evidence["similarity"] < second.evidence["similarity"]
    assert second.confidence > with_peaks.threshold
    assert first.confidence - second.confidence < 1e-6


def test_a_copy_leaves_no_doubt_so_nothing_is_searched_from_end_to_end(
    with_peaks: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Look, "by_sweep", lambda *_: pytest.fail("the tracks were swept"))
    found = of_originals(with_peaks, (2, 3, 2)).ask(cut(with_peaks.sounds[2], 8.0, 5.0))
    assert {match.track for match in found[:2]} == {0, 2}


def test_two_copies_are_both_named_by_landmarks(landmarks: Shelf) -> None:
    fingerprints = {number: landmarks.fingerprints[original] for number, original in enumerate((0, 1, 0))}
    shelf = shelf_with(landmarks.maker, landmarks.sounds, fingerprints)
    found = shelf.ask(with_noise(cut(landmarks.sounds[0], 8.0, 5.0, rate=11_025), 10.0), threshold=None)
    assert {match.track for match in found} == {0, 2}
    assert min(match.confidence for match in found) > 0.99
