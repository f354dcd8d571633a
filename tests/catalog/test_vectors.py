"""From a clip's vectors to matches: places, long clips, several recordings, speed, with peaks and without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soxr
from earmark.catalog.identifying import Found, Identifier, identifier_for
from earmark.catalog.vectors import Supported, VectorMatcher, best_of_each
from earmark.match.align import Placing, Points, Warp
from earmark.match.lines import Line
from earmark.match.sweep import Sweep

from earmark.audio.decode import load
from earmark.fingerprints.neural import Neural
from earmark.index.channels import Channels, ChannelsSnapshot
from earmark.types import VECTOR_SCALE, Fingerprint, Hits, Keys

RATE = 8_000
MAKERS = {"with peaks": Neural(), "without": Neural(peaks=False)}
PERIODS = {0: 8.0, 1: 7.5, 6: 8.25, 7: 4.75}  # seconds: excerpts that repeat themselves


@dataclass(frozen=True)
class Shelf:
    """Recordings by number, with what identifies clips of them."""

    maker: Neural
    sounds: Sequence[np.ndarray]
    index: ChannelsSnapshot
    fingerprints: Mapping[int, Fingerprint]

    def asked(self, clip: np.ndarray) -> Fingerprint:
        return self.maker.extract(clip.astype(np.float32), query=True)

    def identifier(self, reference: Callable[[int], Fingerprint] | None = None) -> Identifier:
        return identifier_for(self.maker, reference or self.fingerprints.__getitem__)

    def ask(self, clip: np.ndarray, **options: object) -> tuple[Found, ...]:
        return self.identifier().identify(self.index, self.asked(clip), **{"threshold": 0.0, **options})  # type: ignore[arg-type]


def shelf_of(maker: Neural, sounds: Sequence[np.ndarray]) -> Shelf:
    index, fingerprints = empty(maker), {}
    for number, sound in enumerate(sounds):
        fingerprints[number] = maker.unpack(maker.pack(maker.extract(sound)))
        index.add(number, maker.keys(fingerprints[number]))
    return Shelf(maker, sounds, index.snapshot(), fingerprints)


def empty(maker: Neural) -> Channels:
    return Channels("both" if maker.peaks else "auto", maker.plan.channels)


def vectors_alone(maker: Neural, fingerprints: Mapping[int, Fingerprint]) -> ChannelsSnapshot:
    index = Channels("auto", maker.plan.channels)
    for number, fingerprint in fingerprints.items():
        index.add(number, maker.keys(fingerprint))
    return index.snapshot()


@pytest.fixture(scope="module")
def sounds(music: Sequence[Path]) -> list[np.ndarray]:
    return [load(path, rate=RATE)[0][: 26 * RATE] for path in music[:10]]


@pytest.fixture(scope="module")
def shelves(sounds: list[np.ndarray]) -> dict[str, Shelf]:
    return {kind: shelf_of(maker, sounds[:8]) for kind, maker in MAKERS.items()}


@pytest.fixture(params=MAKERS)
def shelf(request: pytest.FixtureRequest, shelves: dict[str, Shelf]) -> Shelf:
    return shelves[request.param]


@pytest.fixture
def with_peaks(shelves: dict[str, Shelf]) -> Shelf:
    return shelves["with peaks"]


def cut(sound: np.ndarray, start: float, seconds: float) -> np.ndarray:
    return sound[round(start * RATE) : round((start + seconds) * RATE)]


def with_noise(sound: np.ndarray, decibels: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=len(sound))
    return sound + noise * np.sqrt(np.mean(sound**2) / 10 ** (decibels / 10))


def apart(match: Found, start: float) -> float:
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
    assert best.confidence > with_peaks.identifier().default_threshold


def test_without_peaks_its_place_is_known_to_a_hop(shelves: dict[str, Shelf]) -> None:
    for start in (3.0, 7.321, 11.1, 15.45):
        best = shelves["without"].ask(cut(shelves["without"].sounds[2], start, 5.0))[0]
        assert apart(best, start) < 0.125
        assert best.evidence["z"] == 0.0


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
            assert match.confidence < shelf.identifier().default_threshold


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


def test_silence_and_no_sound_have_no_match(shelf: Shelf) -> None:
    for nothing in (np.zeros(0), np.zeros(5 * RATE), np.zeros(40 * RATE)):
        assert shelf.ask(nothing) == ()


def test_an_empty_index_knows_nothing(shelf: Shelf) -> None:
    fingerprint = shelf.asked(cut(shelf.sounds[2], 11.0, 5.0))
    assert shelf.identifier().identify(empty(shelf.maker).snapshot(), fingerprint, threshold=0.0) == ()


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


def test_a_long_clip_is_one_match_and_every_window_of_it_is_checked(shelf: Shelf) -> None:
    clip = with_noise(cut(shelf.sounds[2], 1.0, 24.0), 5.0)
    for several in (False, True):
        best = max(shelf.ask(clip, several=several), key=lambda match: match.confidence)
        assert best.track == 2
        assert (best.query_start, best.query_end) == pytest.approx((0.0, 24.0), abs=1.0)
        assert apart(best, 1.0) < 0.12
        assert best.speed == pytest.approx(1.0, abs=0.01)


def test_the_peaks_of_a_later_window_are_those_of_its_own_sound(with_peaks: Shelf, sounds: list[np.ndarray]) -> None:
    clip = np.concatenate([cut(sounds[8], 0.0, 12.0), cut(with_peaks.sounds[2], 5.0, 12.0)])
    best = with_peaks.ask(clip)[0]
    assert best.track == 2
    assert best.evidence["z"] > 12
    assert apart(best, 5.0 - 12.0) < 0.03
    assert best.query_start == pytest.approx(12.0, abs=1.0)
    assert best.query_end == pytest.approx(24.0, abs=0.5)


def test_recordings_that_follow_one_another_are_told_apart(shelf: Shelf) -> None:
    order = [3, 2, 5]
    clip = np.concatenate([cut(shelf.sounds[number], 2.0, 20.0) for number in order])
    found = [match for match in shelf.ask(clip, several=True, limit=9) if match.query_end - match.query_start > 12]
    assert [match.track for match in found] == order
    for place, match in enumerate(found):
        assert match.query_start == pytest.approx(20.0 * place, abs=5.5)
        assert match.query_end == pytest.approx(20.0 * (place + 1), abs=5.5)
        assert apart(match, 2.0 - 20.0 * place) < 0.3


@pytest.mark.parametrize("factor", [0.96, 1.04])
def test_with_peaks_a_change_is_told_that_vectors_take_for_none(with_peaks: Shelf, factor: float) -> None:
    told = []
    for number in range(8):
        changed = soxr.resample(cut(with_peaks.sounds[number], 6.0, 5.0), RATE * factor, RATE)
        best = with_peaks.ask(changed, threshold=0.0)[0]
        assert best.track == number
        sure = best.confidence > with_peaks.identifier().default_threshold
        told.append(sure and (best.speed, best.pitch) == pytest.approx((factor, factor), abs=0.01))
    assert sum(told) >= 7  # one of 32 such clips was taken for half the change


@pytest.mark.parametrize("factor", [0.97, 1.02])
def test_a_small_change_of_speed_is_found(shelf: Shelf, factor: float) -> None:
    changed = soxr.resample(cut(shelf.sounds[2], 6.0, 8.0), RATE * factor, RATE)
    best = shelf.ask(changed)[0]
    assert best.track == 2
    # Vectors alone hear no less than a change of some ten frames over the clip.
    assert best.speed == pytest.approx(factor, abs=0.004 if shelf.maker.peaks else 0.031)
    assert best.reference_start - best.speed * best.query_start == pytest.approx(6.0, abs=0.3)


def test_whoever_asks_for_larger_changes_of_speed_finds_small_ones_too(with_peaks: Shelf) -> None:
    fast = soxr.resample(cut(with_peaks.sounds[2], 6.0, 9.0), RATE * 1.03, RATE)
    best = with_peaks.ask(fast, speed=True)[0]
    assert best.track == 2
    assert best.speed == pytest.approx(1.03, abs=0.006)
    assert best.pitch == pytest.approx(1.03, abs=0.015)


def test_two_copies_of_a_recording_are_both_named(shelf: Shelf) -> None:
    fingerprints = {number: shelf.fingerprints[original] for number, original in enumerate((2, 3, 2))}
    index = vectors_alone(shelf.maker, fingerprints)
    found = Shelf(shelf.maker, shelf.sounds, index, fingerprints).ask(cut(shelf.sounds[2], 8.0, 5.0))
    assert [match.track for match in found[:2]] == [0, 2]
    assert found[0].reference_start == pytest.approx(found[1].reference_start, abs=1e-6)
    if shelf.maker.peaks:  # they say that the two are copies, and a copy is no rival
        assert found[1].confidence == pytest.approx(found[0].confidence, abs=0.01)
        assert all(one.evidence["rival_contrast"] < 0.7 * one.evidence["contrast"] for one in found[:2])
        assert found[1].confidence > shelf.identifier().default_threshold


def test_of_two_copies_the_one_that_more_peaks_speak_for_comes_first(with_peaks: Shelf) -> None:
    whole = with_peaks.fingerprints[2]
    assert whole.beside is not None
    kept = np.arange(len(whole.beside.frames)) % 4 > 0
    fewer = replace(whole.beside, frames=whole.beside.frames[kept], features=whole.beside.features[kept])
    blurred = whole.features + np.random.default_rng(1).normal(0, 8, whole.features.shape)
    blurred *= VECTOR_SCALE / np.linalg.norm(blurred, axis=1, keepdims=True)
    worse = replace(whole, features=np.clip(np.rint(blurred), -127, 127).astype(np.int8))
    fingerprints = {0: replace(whole, beside=fewer), 1: worse, 2: with_peaks.fingerprints[3]}
    index = vectors_alone(with_peaks.maker, fingerprints)
    first, second = Shelf(with_peaks.maker, with_peaks.sounds, index, fingerprints).ask(
        cut(with_peaks.sounds[2], 8.0, 5.0)
    )[:2]
    assert (first.track, second.track) == (1, 0)
    assert first.evidence["similarity"] < second.evidence["similarity"]
    assert second.confidence > with_peaks.identifier().default_threshold
    assert first.confidence - second.confidence < 1e-6


def test_a_copy_leaves_no_doubt_so_nothing_is_looked_at_from_end_to_end(
    with_peaks: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprints = {number: with_peaks.fingerprints[original] for number, original in enumerate((2, 3, 2))}
    index = vectors_alone(with_peaks.maker, fingerprints)
    monkeypatch.setattr(VectorMatcher, "_swept", lambda *_: pytest.fail("the tracks were swept"))
    shelf = Shelf(with_peaks.maker, with_peaks.sounds, index, fingerprints)
    assert {match.track for match in shelf.ask(cut(with_peaks.sounds[2], 8.0, 5.0))[:2]} == {0, 2}


def test_a_clip_without_peaks_enough_is_found_by_its_vectors(with_peaks: Shelf) -> None:
    fingerprint = with_peaks.asked(cut(with_peaks.sounds[2], 11.0, 5.0))
    assert fingerprint.beside is not None
    few = replace(fingerprint.beside, frames=fingerprint.beside.frames[:5], features=fingerprint.beside.features[:5])
    for poor in (replace(fingerprint, beside=few), replace(fingerprint, beside=None)):
        best = with_peaks.identifier().identify(with_peaks.index, poor, threshold=0.0)[0]
        assert best.track == 2
        assert apart(best, 11.0) < 0.1
        assert (best.evidence["z"], best.evidence["contrast"], best.evidence["surplus"]) == (0.0, 0.0, 0.0)


def test_a_track_without_peaks_is_compared_by_its_vectors(with_peaks: Shelf) -> None:
    fingerprints = dict(with_peaks.fingerprints)
    for number in (0, 4):
        fingerprints[number] = replace(fingerprints[number], beside=None)
    identifier = with_peaks.identifier(fingerprints.__getitem__)
    for number in range(8):
        clip = with_peaks.asked(cut(with_peaks.sounds[number], 11.0, 5.0))
        best = identifier.identify(with_peaks.index, clip, threshold=0.0)[0]
        assert best.track == number
        assert (best.evidence["z"] > 7) == (number not in (0, 4))


def test_among_many_tracks_the_right_one_is_the_surest(with_peaks: Shelf) -> None:
    pieces = [cut(sound, start, 1.5) for sound in with_peaks.sounds[:6] for start in np.arange(0.0, 24.0, 3.0)]
    many = shelf_of(with_peaks.maker, pieces)
    found = many.ask(cut(with_peaks.sounds[2], 6.0, 1.5), limit=len(pieces))
    assert found[0].track == 16 + 2
    assert len(found) > 5
    assert found[0].confidence == max(match.confidence for match in found)


def test_what_is_forgotten_is_read_anew(shelf: Shelf) -> None:
    read: list[int] = []

    def reference(number: int) -> Fingerprint:
        read.append(number)
        return shelf.fingerprints[number]

    identifier = shelf.identifier(reference)
    clip = shelf.asked(cut(shelf.sounds[3], 5.0, 5.0))
    identifier.identify(shelf.index, clip)
    before = list(read)
    assert sorted(set(before)) == sorted(before)
    identifier.identify(shelf.index, clip)
    assert read == before
    identifier.forget(3)
    identifier.identify(shelf.index, clip)
    assert read == [*before, 3]


def test_an_error_in_reading_a_reference_comes_through(shelf: Shelf) -> None:
    def broken(number: int) -> Fingerprint:
        raise LookupError(f"{number} is gone")

    clip = shelf.asked(cut(shelf.sounds[3], 5.0, 5.0))
    with pytest.raises(LookupError, match="is gone"):
        shelf.identifier(broken).identify(shelf.index, clip)


def test_the_threshold_is_the_models_and_says_what_is_left_out(shelf: Shelf) -> None:
    matcher = VectorMatcher(shelf.maker, shelf.fingerprints.__getitem__)
    assert shelf.identifier().default_threshold == matcher.default_threshold
    assert 0 < matcher.default_threshold < 1
    clip = with_noise(cut(shelf.sounds[4], 9.0, 5.0), 5.0)
    every = shelf.ask(clip)
    middle = (every[0].confidence + every[1].confidence) / 2
    assert shelf.ask(clip, threshold=middle) == every[:1]


def test_what_vectors_do_not_name_landmarks_may(with_peaks: Shelf) -> None:
    index, maker = empty(with_peaks.maker), with_peaks.maker
    for number, fingerprint in with_peaks.fingerprints.items():
        keys = dict(maker.keys(fingerprint))
        if number == 3:
            del keys["vectors"]
        index.add(number, keys)
    clip = with_peaks.asked(with_noise(cut(with_peaks.sounds[3], 4.0, 5.0), 10))
    best, *_ = with_peaks.identifier().identify(index.snapshot(), clip, threshold=0.0)
    assert best.track == 3
    assert best.reference_start == pytest.approx(4.0, abs=0.05)
    assert best.confidence > with_peaks.identifier().default_threshold


def test_more_noisy_clips_are_right_first_by_how_they_stand_out_than_by_their_peaks(with_peaks: Shelf) -> None:
    identifier, right = with_peaks.identifier(), {"relief": 0, "peaks": 0}
    for number, start in product(range(8), (2.0, 9.0, 16.0)):
        clip = with_peaks.asked(with_noise(cut(with_peaks.sounds[number], start, 1.0), -12, seed=number))
        assert clip.beside is not None
        flat = replace(clip, beside=replace(clip.beside, relief=None))
        for name, one in (("relief", clip), ("peaks", flat)):
            found = identifier.identify(with_peaks.index, one, threshold=0.0, limit=1)
            right[name] += bool(found) and found[0].track == number
    assert right["relief"] > right["peaks"]


def drone(pitch: float, *, seconds: float = 10.0) -> np.ndarray:
    """A held tone with six harmonics."""
    time = np.arange(round(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * pitch * harmonic * time) / harmonic for harmonic in range(1, 7)]
    return np.sum(tones, axis=0, dtype=np.float32) / 10


def test_held_tones_of_which_z_says_nothing_stand_out_more_on_their_own_recording() -> None:
    shelf = shelf_of(MAKERS["with peaks"], [drone(pitch) for pitch in (98.0, 131.0, 165.0)])
    for number, sound in enumerate(shelf.sounds):
        best, *_ = shelf.ask(with_noise(cut(sound, 3.0, 5.0), 0, seed=number))
        assert best.track == number
        assert best.evidence["z"] < 4
        assert best.evidence["contrast"] > 1.5 * best.evidence["rival_contrast"]


def test_of_lines_and_peaks_as_good_the_one_that_stands_out_ranks_first() -> None:
    def supported(track: int, contrast: float) -> Supported:
        line = Line(track, 0.0, 1.0, np.arange(1), np.ones(1, np.float32), score=0.5)
        return Supported(line, Placing(0.0, Warp(), 4.0), contrast)

    ranked = best_of_each([supported(1, -9.0), supported(2, 20.0), supported(3, 5.0), supported(0, 0.0)])
    assert [one.line.track for one in ranked] == [2, 3, 0, 1]
    assert ranked[2].support == ranked[3].support  # less than its surroundings is no more against a line than nothing


@pytest.mark.parametrize("seconds", [2.0, 5.0])
def test_where_the_index_knows_another_place_only_the_track_is_looked_at_from_end_to_end(
    with_peaks: Shelf, seconds: float
) -> None:
    index, maker = empty(with_peaks.maker), with_peaks.maker
    for number, fingerprint in with_peaks.fingerprints.items():
        frames, vectors = maker.terms(fingerprint)
        known = frames * maker.frame_seconds >= (10.0 if number == 3 else 0.0)
        index.add(number, {"vectors": Keys(frames[known], vectors[known])})
    clip = with_peaks.asked(with_noise(cut(with_peaks.sounds[3], 4.0, seconds), 10))
    best, *_ = with_peaks.identifier().identify(index.snapshot(), clip, threshold=0.0)
    assert best.track == 3
    assert best.reference_start == pytest.approx(4.0, abs=0.05)
    assert best.confidence > with_peaks.identifier().default_threshold


@pytest.mark.parametrize(
    ("bound", "value", "wanted"), [("MOST_SWEPT", 3, {3}), ("SWEPT", 250_000, {1, 2, 3}), ("SWEPT", 0, {0})]
)
def test_no_more_is_looked_at_from_end_to_end_than_is_allowed(
    with_peaks: Shelf, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, wanted: set[int]
) -> None:
    swept = []
    best_places = Sweep.best_places

    def counted(sweep: Sweep, points: Points, *, limit: int = 1) -> list[Placing]:
        swept.append(limit)
        return best_places(sweep, points, limit=limit)

    monkeypatch.setattr(Sweep, "best_places", counted)
    clip = np.random.default_rng(1).normal(0, 0.1, 5 * RATE)
    with_peaks.ask(clip)
    assert swept.count(1) == len(with_peaks.sounds)
    swept.clear()
    monkeypatch.setattr(f"earmark.catalog.vectors.{bound}", value)
    with_peaks.ask(clip)
    assert swept.count(1) in wanted


def test_what_is_clear_is_not_looked_for_any_further(with_peaks: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, search = [], ChannelsSnapshot.search

    def noted(self: ChannelsSnapshot, channel: str, keys: Keys, *, nearest: int = 20) -> Hits:
        asked.extend([channel] if channel == "landmarks" else [])
        return search(self, channel, keys, nearest=nearest)

    monkeypatch.setattr(ChannelsSnapshot, "search", noted)
    with_peaks.ask(cut(with_peaks.sounds[2], 7.321, 5.0))
    assert not asked
    with_peaks.ask(with_noise(cut(with_peaks.sounds[2], 7.321, 1.0), -15))
    assert asked


def test_of_repetitions_the_one_that_fits_best_is_told_though_another_is_named(sounds: list[np.ndarray]) -> None:
    once, again = cut(sounds[3], 0.0, 10.0), cut(sounds[3], 0.0, 10.0) + 0.5 * cut(sounds[5], 0.0, 10.0)
    maker, index = MAKERS["with peaks"], empty(MAKERS["with peaks"])
    track = np.concatenate([once, cut(sounds[4], 0.0, 6.0), again]).astype(np.float32)
    fingerprint = maker.extract(track)
    frames, vectors = maker.terms(fingerprint)
    known = frames * maker.frame_seconds >= 16.0
    index.add(0, {"vectors": Keys(frames[known], vectors[known])})
    clip = maker.extract(with_noise(cut(track, 3.0, 5.0), 10).astype(np.float32), query=True)
    best, *_ = identifier_for(maker, {0: fingerprint}.__getitem__).identify(index.snapshot(), clip, threshold=0.0)
    assert best.reference_start - best.query_start == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize("number", [1, 4, 6])
def test_of_many_repetitions_the_right_one_is_told(sounds: list[np.ndarray], number: int) -> None:
    """Each with something of its own, and the index knows the first one alone."""
    loop, *own = (sound / sound.std() for sound in (cut(sounds[3], 0, 3.1), *np.split(cut(sounds[5], 0, 24.8), 8)))
    maker, index = MAKERS["with peaks"], empty(MAKERS["with peaks"])
    track = (0.1 * np.concatenate([loop + 0.5 * other for other in own])).astype(np.float32)
    fingerprint = maker.extract(track)
    frames, vectors = maker.terms(fingerprint)
    known = frames * maker.frame_seconds < 3.0
    index.add(0, {"vectors": Keys(frames[known], vectors[known])})
    start = 3.1 * number + 0.4
    clip = maker.extract(with_noise(cut(track, start, 2.5), 10).astype(np.float32), query=True)
    best, *_ = identifier_for(maker, {0: fingerprint}.__getitem__).identify(index.snapshot(), clip, threshold=0.0)
    assert best.reference_start - best.query_start == pytest.approx(start, abs=0.05)
