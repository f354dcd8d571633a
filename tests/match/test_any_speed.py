"""Clips of real music at other speeds and pitches: found, placed, and told apart from each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.distort.timing import change_speed, change_tempo
from earmark.fingerprints import make
from tests.match.shelf import MemorySearch, Shelf, cut, shelf_of, with_noise

KINDS = ("neural", "shazam")
SECONDS, START, MARGIN = 6.0, 9.3, 0.3
PLAYED = {  # tempo, pitch
    "speed+8": (1.08, 1.08), "speed-15": (0.85, 0.85), "speed+25": (1.25, 1.25), "speed-25": (0.75, 0.75),
    "pitch+6": (1.0, 1.06), "pitch-12": (1.0, 0.88), "tempo+15": (1.15, 1.0), "tempo-25": (0.75, 1.0),
}  # fmt: skip


@pytest.fixture(scope="module")
def shelves_at_any_speed(music: Sequence[Path]) -> dict[str, Shelf]:
    """Five excerpts on a shelf of each kind; a sixth is on none."""
    shelves = {}
    for kind in KINDS:
        maker = make(kind, any_speed=True)
        sounds = [load(path, rate=maker.rate)[0] for path in music[2:8]]
        shelves[kind] = shelf_of(maker, sounds[:5])
        shelves[kind] = Shelf(maker, sounds, shelves[kind].index, shelves[kind].fingerprints, maker.plan)
    return shelves


@pytest.fixture(params=KINDS)
def shelf(request: pytest.FixtureRequest, shelves_at_any_speed: dict[str, Shelf]) -> Shelf:
    return shelves_at_any_speed[request.param]


def played(shelf: Shelf, number: int, name: str, *, start: float = START, seconds: float = SECONDS) -> np.ndarray:
    """A clip of so many seconds from a second on."""
    tempo, pitch = PLAYED[name]
    rate = shelf.maker.rate
    clip = cut(shelf.sounds[number], start, seconds * tempo + MARGIN, rate=rate).astype(np.float32)
    if pitch != 1:
        clip = change_speed(clip, pitch)
    if tempo != pitch:
        clip = change_tempo(clip, tempo / pitch, rate=rate)
    return clip[: round(seconds * rate)]


@pytest.mark.parametrize("name", PLAYED)
def test_a_clip_is_found_at_any_speed_and_pitch(shelf: Shelf, name: str) -> None:
    tempo, pitch = PLAYED[name]
    best = shelf.ask(played(shelf, 1, name), speed=True)[0]
    assert best.track == 1
    assert best.confidence > shelf.threshold
    assert best.reference_at(0.0) == pytest.approx(START, abs=0.1)
    assert best.is_measured
    assert best.speed == pytest.approx(tempo, rel=0.005)
    assert best.pitch == pytest.approx(pitch, rel=0.005)


@pytest.mark.parametrize("name", ["speed+25", "pitch-12", "tempo-25"])
def test_noise_does_not_hide_it(shelf: Shelf, name: str) -> None:
    best = shelf.ask(with_noise(played(shelf, 3, name), 10.0), speed=True)[0]
    assert best.track == 3
    assert best.confidence > shelf.threshold


def test_music_that_is_on_no_shelf_is_not_found_at_any_speed(shelf: Shelf) -> None:
    for name in ("speed+8", "pitch-12"):
        found = shelf.ask(played(shelf, 5, name), speed=True)
        assert all(one.confidence < shelf.threshold for one in found)


def test_only_a_question_that_asks_for_other_speeds_looks_them_up(shelf: Shelf) -> None:
    index = MemorySearch(shelf.plan)
    for number, fingerprint in shelf.fingerprints.items():
        index.add(number, shelf.maker.keys(fingerprint))
    clip = played(shelf, 1, "speed+25")
    plain = shelf.with_index(index).ask(clip)
    assert "quads" not in index.asked
    shelf.with_index(index).ask(clip, speed=True)
    assert "quads" in index.asked
    assert not plain or plain[0].confidence < shelf.threshold


def test_a_plain_question_is_answered_as_without_the_option(shelf: Shelf) -> None:
    name = shelf.maker.spec.name
    usual = shelf_of(make(name), shelf.sounds[:5])
    clip = with_noise(cut(shelf.sounds[2], 7.1, 5.0, rate=shelf.maker.rate), 5.0)
    before, now = usual.ask(clip), shelf.ask(clip)
    assert [one.evidence for one in now] == [one.evidence for one in before]
    assert [one.log_odds for one in now] == pytest.approx([one.log_odds for one in before])


@pytest.mark.parametrize("name", ["pitch+6", "speed+8"])
def test_no_speed_is_told_that_was_not_measured(shelf: Shelf, name: str) -> None:
    tempo, pitch = PLAYED[name]
    for best in shelf.ask(played(shelf, 1, name))[:1]:
        is_right = abs(best.speed / tempo - 1) < 0.005 and abs(best.pitch / pitch - 1) < 0.005
        assert is_right or not best.is_measured or best.confidence < shelf.threshold


def test_without_the_channel_in_the_index_a_question_is_answered_by_the_others(shelf: Shelf) -> None:
    usual = [one.name for one in shelf.plan.usual_channels]
    lean = shelf_of(shelf.maker, shelf.sounds[:5], channels=usual)
    clip = cut(shelf.sounds[0], 4.0, 5.0, rate=shelf.maker.rate)
    assert lean.ask(clip, speed=True)[0].track == 0


@pytest.mark.parametrize("name", ["speed+25", "tempo-25"])
def test_sound_that_is_longer_than_what_is_looked_at_at_once_is_one_passage_at_its_speed(
    shelf: Shelf, name: str
) -> None:
    tempo, pitch = PLAYED[name]
    found = shelf.ask(played(shelf, 1, name, start=3.0, seconds=18.0), speed=True, several=True)
    assert [one.track for one in found] == [1]
    assert found[0].is_measured
    assert (found[0].speed, found[0].pitch) == pytest.approx((tempo, pitch), rel=0.005)
    assert (found[0].query_start, found[0].query_end) == pytest.approx((0.0, 18.0), abs=0.5)
    assert found[0].reference_at(0.0) == pytest.approx(3.0, abs=0.1)


def test_a_catalog_of_vectors_alone_looks_at_other_speeds_of_ten_seconds_too(music: Sequence[Path]) -> None:
    maker = make("neural", peaks=False)
    sounds = [load(path, rate=maker.rate)[0] for path in music[2:4]]
    clip = cut(sounds[1], 4.0, 10.0, rate=maker.rate)
    assert shelf_of(maker, sounds).ask(clip, speed=True)[0].track == 1
