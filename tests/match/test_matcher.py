"""From a window of a clip to passages: places, speed, repetitions, with peaks and without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import soxr

from earmark.fingerprints import make
from earmark.fingerprints.landmarks import MIN_PEAKS
from earmark.match.compare.correlation import Correlation
from earmark.match.compare.query_map import Place
from earmark.match.look import _score
from earmark.match.passages import Passage
from earmark.match.protocol import Candidate, Placement
from earmark.match.rivals import best_of_each_track
from earmark.types import Fingerprint, Hits, Keys, Layer
from tests.match.shelf import MemorySearch, Shelf, cut, shelf_of, with_noise

RATE = 8_000
FRAME = 0.03125  # seconds, of vectors
PERIODS = {0: 8.0, 1: 7.5, 6: 8.25, 7: 4.75}  # seconds: excerpts that repeat themselves
NOTHING = Keys(np.zeros(0, np.int32), np.zeros((0, 128), np.int8))


def apart(match: Passage, start: float) -> float:
    """By how many seconds the match is beside the place where the clip was taken, or its repetition."""
    period = PERIODS.get(match.track, 1e9)
    return abs((match.reference_start - match.speed * match.query_start - start + period / 2) % period - period / 2)


@pytest.mark.parametrize("number", range(8))
def test_a_noisy_clip_is_found_where_it_is(shelf: Shelf, number: int) -> None:
    best = shelf.ask(with_noise(cut(shelf.sounds[number], 7.321, 5.0), 5.0))[0]
    assert best.track == number
    assert apart(best, 7.321) < 0.2
    assert (best.query_start, best.query_end) == pytest.approx((0.0, 5.0), abs=0.6)
    assert best.reference_end - best.reference_start == pytest.approx(best.query_end - best.query_start, rel=0.05)
    assert (best.speed, best.pitch) == pytest.approx((1.0, 1.0), abs=0.021)
    assert best.position_error < 0.1


def test_with_peaks_its_place_is_known_to_some_milliseconds(with_peaks: Shelf) -> None:
    best = with_peaks.ask(cut(with_peaks.sounds[2], 7.321, 5.0))[0]
    assert apart(best, 7.321) < 0.015
    assert best.evidence["z"] > 12
    assert best.confidence > with_peaks.threshold


def test_without_peaks_its_place_is_known_to_a_hop(shelves: dict[str, Shelf]) -> None:
    for start in (3.0, 7.321, 11.1, 15.45):
        best = shelves["without"].ask(cut(shelves["without"].sounds[2], start, 5.0))[0]
        assert apart(best, start) < 0.125
        assert best.evidence.keys() == {"similarity", "rival", "margin", "share", "seconds"}


def test_the_right_track_is_surer_than_every_other(shelf: Shelf) -> None:
    first, *others = shelf.ask(with_noise(cut(shelf.sounds[4], 9.0, 5.0), 5.0), limit=8)
    assert first.track == 4
    assert others
    assert all(match.confidence < first.confidence for match in others)
    assert [match.confidence for match in others] == sorted((match.confidence for match in others), reverse=True)
    assert len({match.track for match in (first, *others)}) == 1 + len(others)


def test_as_many_candidates_as_asked_for(shelf: Shelf) -> None:
    clip = with_noise(cut(shelf.sounds[4], 9.0, 5.0), 0.0)
    assert len(shelf.ask(clip, limit=1)) == 1
    assert len(shelf.ask(clip, limit=3)) == 3


def test_unknown_music_has_less_confidence_than_known(shelf: Shelf, sounds: list[np.ndarray]) -> None:
    known = min(shelf.ask(cut(shelf.sounds[number], 7.0, 5.0))[0].confidence for number in range(8))
    for unknown in (sounds[8], sounds[9], np.random.default_rng(2).normal(size=26 * RATE) * 0.1):
        for match in shelf.ask(cut(unknown, 7.0, 5.0)):
            assert match.confidence < known
            assert match.confidence < shelf.threshold


def test_a_short_clip_is_found(shelf: Shelf) -> None:
    best = shelf.ask(cut(shelf.sounds[2], 11.0, 1.0))[0]
    assert best.track == 2
    assert apart(best, 11.0) < 0.12
    assert (best.query_start, best.query_end) == pytest.approx((0.0, 1.0), abs=0.05)


@pytest.mark.parametrize("seconds", [0.05, 0.3])
def test_less_than_a_segment_is_no_trouble(shelf: Shelf, seconds: float) -> None:
    for match in shelf.ask(cut(shelf.sounds[2], 11.0, seconds)):
        assert 0 <= match.query_start <= match.query_end <= seconds + 1e-9
        assert 0 <= match.confidence <= 1


@pytest.mark.parametrize("after", [0.0, 0.88, 3.0])
def test_less_than_a_second_of_sound_amid_silence_is_not_looked_up(with_peaks: Shelf, after: float) -> None:
    word = cut(with_peaks.sounds[2], 5.0, 0.43)
    clip = np.concatenate([np.zeros(round(5.7 * RATE)), word, np.zeros(round(after * RATE))])
    assert with_peaks.ask(clip, threshold=0.0) == []


def test_silence_and_no_sound_have_no_match(shelf: Shelf) -> None:
    for nothing in (np.zeros(0), np.zeros(5 * RATE), np.zeros(40 * RATE)):
        assert shelf.ask(nothing) == []


def test_an_empty_index_knows_nothing(shelf: Shelf) -> None:
    empty = shelf.with_index(MemorySearch(shelf.plan))
    assert empty.ask(cut(shelf.sounds[2], 11.0, 5.0)) == []


def test_a_clip_that_begins_before_the_recording_does(shelf: Shelf) -> None:
    clip = np.concatenate([np.zeros(2 * RATE), cut(shelf.sounds[2], 0.0, 4.0)])
    best = shelf.ask(clip)[0]
    assert best.track == 2
    assert best.reference_start == pytest.approx(0.0, abs=0.3)
    assert best.query_start == pytest.approx(2.0, abs=0.3)
    assert best.reference_end == pytest.approx(4.0, abs=0.5)


def test_a_clip_that_goes_on_after_the_recording_has_ended(shelf: Shelf, sounds: list[np.ndarray]) -> None:
    length = len(shelf.sounds[2]) / RATE
    clip = np.concatenate([cut(shelf.sounds[2], length - 4.0, 4.0), with_noise(np.zeros(2 * RATE) + 1e-3, 0.0)])
    best = shelf.ask(clip)[0]
    assert best.track == 2
    assert best.reference_end == pytest.approx(length, abs=0.3)
    assert best.reference_end <= length + 1e-6
    assert best.query_end == pytest.approx(4.0, abs=0.3)


@pytest.mark.parametrize("factor", [0.96, 1.04])
def test_with_peaks_a_change_is_told_that_vectors_take_for_none(with_peaks: Shelf, factor: float) -> None:
    told = []
    for number in range(8):
        changed = soxr.resample(cut(with_peaks.sounds[number], 6.0, 5.0), RATE * factor, RATE)
        best = with_peaks.ask(changed, threshold=0.0)[0]
        assert best.track == number
        sure = best.confidence > with_peaks.threshold
        told.append(sure and (best.speed, best.pitch) == pytest.approx((factor, factor), abs=0.01))
    assert sum(told) >= 7  # one of 32 such clips was taken for half the change


@pytest.mark.parametrize("factor", [0.97, 1.02])
def test_a_small_change_of_speed_is_found(shelf: Shelf, factor: float) -> None:
    changed = soxr.resample(cut(shelf.sounds[2], 6.0, 8.0), RATE * factor, RATE)
    best = shelf.ask(changed)[0]
    assert best.track == 2
    # Vectors alone hear no less than a change of some ten frames over the clip.
    assert best.speed == pytest.approx(factor, abs=0.004 if shelf.has_peaks else 0.031)
    assert best.reference_start - best.speed * best.query_start == pytest.approx(6.0, abs=0.3)


def test_whoever_asks_for_larger_changes_of_speed_finds_small_ones_too(with_peaks: Shelf) -> None:
    fast = soxr.resample(cut(with_peaks.sounds[2], 6.0, 9.0), RATE * 1.03, RATE)
    best = with_peaks.ask(fast, speed=True)[0]
    assert best.track == 2
    assert best.speed == pytest.approx(1.03, abs=0.006)
    assert best.pitch == pytest.approx(1.03, abs=0.015)


def test_a_clip_without_peaks_enough_is_found_by_its_vectors(with_peaks: Shelf) -> None:
    fingerprint = with_peaks.asked(cut(with_peaks.sounds[2], 11.0, 5.0))
    for count in (MIN_PEAKS - 1, 5, 0):
        best = with_peaks.identify(with_few_peaks(fingerprint, count))[0]
        assert best.track == 2
        assert apart(best, 11.0) < 0.1
        assert (best.evidence["z"], best.evidence["contrast"], best.evidence["surplus"]) == (0.0, 0.0, 0.0)


def test_a_track_without_peaks_is_compared_by_its_vectors(with_peaks: Shelf) -> None:
    fingerprints = dict(with_peaks.fingerprints)
    for number in (0, 4):
        fingerprints[number] = with_few_peaks(fingerprints[number], 0)
    shelf = replace(with_peaks, fingerprints=fingerprints)
    for number in range(8):
        best = shelf.ask(cut(with_peaks.sounds[number], 11.0, 5.0))[0]
        assert best.track == number
        assert (best.evidence["z"] > 7) == (number not in (0, 4))


def with_few_peaks(fingerprint: Fingerprint, count: int) -> Fingerprint:
    """Return a fingerprint with the first `count` peaks alone."""
    every = fingerprint.layers["peaks"]
    few = Layer(every.frames[:count], every.values[:count], every.frame_seconds, every.weights)
    return replace(fingerprint, layers={**fingerprint.layers, "peaks": few, "strongest": few})


def test_among_many_tracks_the_right_one_is_the_surest(with_peaks: Shelf) -> None:
    pieces = [cut(sound, start, 1.5) for sound in with_peaks.sounds[:6] for start in np.arange(0.0, 24.0, 3.0)]
    many = shelf_of(with_peaks.maker, pieces)
    found = many.ask(cut(with_peaks.sounds[2], 6.0, 1.5), limit=len(pieces))
    assert found[0].track == 16 + 2
    assert len(found) > 5
    assert found[0].confidence == max(match.confidence for match in found)


def test_an_error_in_reading_a_reference_comes_through(shelf: Shelf) -> None:
    def broken(tracks: Sequence[int]) -> Mapping[int, Fingerprint]:
        raise LookupError(f"{tracks[0]} is gone")

    with pytest.raises(LookupError, match="is gone"):
        shelf.ask(cut(shelf.sounds[3], 5.0, 5.0), matcher=shelf.matcher(broken))


def test_what_vectors_do_not_name_landmarks_may(with_peaks: Shelf) -> None:
    index = MemorySearch(with_peaks.plan)
    for number, fingerprint in with_peaks.fingerprints.items():
        keys = dict(with_peaks.maker.keys(fingerprint))
        if number == 3:
            keys["vectors"] = NOTHING
        index.add(number, keys)
    best, *_ = with_peaks.with_index(index).ask(with_noise(cut(with_peaks.sounds[3], 4.0, 5.0), 10))
    assert best.track == 3
    assert best.reference_start == pytest.approx(4.0, abs=0.05)
    assert best.confidence > with_peaks.threshold


def test_more_noisy_clips_are_right_first_by_how_they_stand_out_than_by_their_peaks(with_peaks: Shelf) -> None:
    right = {"salience": 0, "peaks": 0}
    for number, start in product(range(8), (2.0, 9.0, 16.0)):
        clip = with_peaks.asked(with_noise(cut(with_peaks.sounds[number], start, 1.0), -12, seed=number))
        flat = replace(clip, layers={**clip.layers, "peaks": replace(clip.layers["peaks"], weights=None)})
        for name, one in (("salience", clip), ("peaks", flat)):
            found = with_peaks.identify(one, limit=1)
            right[name] += bool(found) and found[0].track == number
    assert right["salience"] > right["peaks"]


def drone(pitch: float, *, seconds: float = 10.0) -> np.ndarray:
    """A held tone with six harmonics."""
    time = np.arange(round(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * pitch * harmonic * time) / harmonic for harmonic in range(1, 7)]
    return np.sum(tones, axis=0, dtype=np.float32) / 10


def test_held_tones_of_which_z_says_nothing_stand_out_more_on_their_own_recording() -> None:
    shelf = shelf_of(make("neural"), [drone(pitch) for pitch in (98.0, 131.0, 165.0)])
    for number, sound in enumerate(shelf.sounds):
        best, *_ = shelf.ask(with_noise(cut(sound, 3.0, 5.0), 0, seed=number))
        assert best.track == number
        assert best.evidence["z"] < 4
        assert best.evidence["contrast"] > 1.5 * best.evidence["rival_contrast"]


def test_of_diagonals_and_peaks_as_good_the_one_that_stands_out_ranks_first(with_peaks: Shelf) -> None:

    def candidate(track: int, contrast: float) -> Candidate:
        placements = {
            "vectors": Placement(0.0, 1.0, {"similarity": 0.5}),
            "peaks": Placement(0.0, 1.0, {"z": 4.0, "contrast": contrast}),
        }
        return Candidate(track, 0.0, placements=placements, score=_score(with_peaks.plan, placements))

    ranked = best_of_each_track([candidate(1, -9.0), candidate(2, 20.0), candidate(3, 5.0), candidate(0, 0.0)])
    assert [one.track for one in ranked] == [2, 3, 1, 0]
    assert ranked[2].score == ranked[3].score  # less than its surroundings is no more against it than nothing


@pytest.mark.parametrize("seconds", [2.0, 5.0])
def test_where_the_index_knows_another_place_only_the_track_is_searched_from_end_to_end(
    with_peaks: Shelf, seconds: float
) -> None:
    index = MemorySearch(with_peaks.plan, ["vectors"])
    for number, fingerprint in with_peaks.fingerprints.items():
        first = 10.0 if number == 3 else 0.0
        index.add(number, with_peaks.maker.keys(fingerprint), lambda frames, first=first: frames * FRAME >= first)
    clip = with_noise(cut(with_peaks.sounds[3], 4.0, seconds), 10)
    best, *_ = with_peaks.with_index(index).ask(clip)
    assert best.track == 3
    assert best.reference_start == pytest.approx(4.0, abs=0.05)
    assert best.confidence > with_peaks.threshold


@pytest.mark.parametrize(
    ("bound", "value", "wanted"), [("most_tracks", 3, {3}), ("budget", 250_000, {1, 2, 3}), ("budget", 0, {0})]
)
def test_no_more_is_searched_from_end_to_end_than_is_allowed(
    with_peaks: Shelf, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, wanted: set[int]
) -> None:
    swept = list[Layer]()
    best_place_on_each = Correlation.best_place_on_each

    def counted(correlation: Correlation, layers: Sequence[Layer]) -> list[Place | None]:
        swept.extend(layers)
        return best_place_on_each(correlation, layers)

    monkeypatch.setattr(Correlation, "best_place_on_each", counted)
    clip = np.random.default_rng(1).normal(0, 0.1, 5 * RATE)
    with_peaks.ask(clip)
    assert len(swept) == len(with_peaks.sounds)
    swept.clear()
    assert with_peaks.plan.sweep is not None
    rule = replace(with_peaks.plan.sweep, **{bound: value})
    replace(with_peaks, plan=replace(with_peaks.plan, sweep=rule)).ask(clip)
    assert len(swept) in wanted


def test_what_is_clear_is_not_looked_for_any_further(with_peaks: Shelf) -> None:
    asked = with_peaks.index.asked
    asked.clear()
    with_peaks.ask(cut(with_peaks.sounds[2], 7.321, 5.0))
    assert set(asked) == {"vectors"}
    with_peaks.ask(with_noise(cut(with_peaks.sounds[2], 7.321, 1.0), -15))
    assert "landmarks" in asked


def test_each_channel_is_searched_once_a_window_with_no_more_keys_than_the_plan_says(with_peaks: Shelf) -> None:
    keys: list[int] = []

    class Counting(MemorySearch):
        def search(self, channel: str, keys_of_window: Keys, *, nearest: int = 20) -> Hits:
            if channel == "vectors":
                keys.append(len(keys_of_window.frames))
            return super().search(channel, keys_of_window, nearest=nearest)

    index = Counting(with_peaks.plan)
    for number, fingerprint in with_peaks.fingerprints.items():
        index.add(number, with_peaks.maker.keys(fingerprint))
    clip = with_noise(cut(with_peaks.sounds[2], 7.321, 5.0), -15)
    with_peaks.with_index(index).ask(clip)
    assert index.asked == ["vectors", "landmarks"]
    most = with_peaks.plan.channels[0].most_keys
    assert most / 2 < keys[0] <= most < len(with_peaks.asked(clip).layers["vectors"].frames)


def one_track(track: np.ndarray, where: Callable[[np.ndarray], np.ndarray]) -> Shelf:
    """A shelf of one recording, of which the index knows a part alone, by its vectors."""
    maker = make("neural")
    shelf = shelf_of(maker, [track], channels=["vectors"])
    index = MemorySearch(maker.plan, ["vectors"])
    index.add(0, maker.keys(shelf.fingerprints[0]), where)
    return shelf.with_index(index)


def test_of_repetitions_the_one_that_fits_best_is_told_though_another_is_named(sounds: list[np.ndarray]) -> None:
    once, again = cut(sounds[3], 0.0, 10.0), cut(sounds[3], 0.0, 10.0) + 0.5 * cut(sounds[5], 0.0, 10.0)
    track = np.concatenate([once, cut(sounds[4], 0.0, 6.0), again]).astype(np.float32)
    shelf = one_track(track, lambda frames: frames * FRAME >= 16.0)
    best, *_ = shelf.ask(with_noise(cut(track, 3.0, 5.0), 10))
    assert best.reference_start - best.query_start == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize("number", [1, 4, 6])
def test_of_many_repetitions_the_right_one_is_told(sounds: list[np.ndarray], number: int) -> None:
    """Each with something of its own, and the index knows the first one alone."""
    loop, *own = (sound / sound.std() for sound in (cut(sounds[3], 0, 3.1), *np.split(cut(sounds[5], 0, 24.8), 8)))
    track = (0.1 * np.concatenate([loop + 0.5 * other for other in own])).astype(np.float32)
    shelf = one_track(track, lambda frames: frames * FRAME < 3.0)
    start = 3.1 * number + 0.4
    best, *_ = shelf.ask(with_noise(cut(track, start, 2.5), 10))
    assert best.reference_start - best.query_start == pytest.approx(start, abs=0.05)
