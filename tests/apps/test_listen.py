"""Listening: what plays is told as soon as it is sure, its place runs on, and jumps and ends are noticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import earmark
from earmark.apps.listen import LISTENED_AGAIN_SECONDS, ListenEvent, Listening
from earmark.audio.decode import load
from earmark.streams.items import Gap, Sound

RATE = 16_000
NOON = 1_700_000_000.0


@pytest.fixture(scope="module")
def catalog(music: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[earmark.Catalog]:
    with earmark.open(tmp_path_factory.mktemp("listen") / "music.earmark") as opened:
        opened.add(list(music[:4]), workers=1)
        yield opened


def piece(path: Path, start: float, end: float) -> np.ndarray:
    return load(path, rate=RATE)[0][round(start * RATE) : round(end * RATE)]


def heard(listening: Listening, sound: np.ndarray, *, block: int = 1_600) -> list[ListenEvent]:
    """Return the events of sound that arrives from noon on."""
    found = list[ListenEvent]()
    for first in range(0, len(sound), block):
        part = sound[first : first + block]
        found += listening.take(Sound(part, NOON + (first + len(part)) / RATE))
    return found


def test_the_answer_comes_soon_and_its_place_runs_on(catalog: earmark.Catalog, music: Sequence[Path]) -> None:
    events = heard(Listening(catalog, rate=RATE), piece(music[1], 5, 20))
    kinds = [event.kind for event in events]
    first = kinds.index("found")
    assert kinds[:first] == ["listening"] * first
    assert set(kinds[first + 1 :]) <= {"corrected", "playing"}
    assert len(kinds) == 15
    assert events[first].seconds <= 3
    for event in events[first:]:
        assert event.match is not None
        assert Path(event.match.track.path) == music[1]
        assert event.position == pytest.approx(5 + event.seconds, abs=0.05)
        assert event.at == pytest.approx(NOON + event.seconds)


def test_a_jump_is_noticed_within_three_seconds(catalog: earmark.Catalog, music: Sequence[Path]) -> None:
    sound = np.concatenate([piece(music[1], 0, 10), piece(music[1], 18, 28)])
    events = heard(Listening(catalog, rate=RATE), sound)
    moved = [event for event in events if event.kind == "moved"]
    assert len(moved) == 1
    assert 10 < moved[0].seconds <= 13
    assert moved[0].position == pytest.approx(8 + moved[0].seconds, abs=0.1)


def test_what_is_over_is_lost_and_what_follows_is_found(catalog: earmark.Catalog, music: Sequence[Path]) -> None:
    unknown = np.concatenate([piece(music[10], 2, 20), piece(music[3], 0, 8)])
    events = heard(Listening(catalog, rate=RATE), np.concatenate([piece(music[0], 0, 8), unknown]))
    lost = [event.seconds for event in events if event.kind == "lost"]
    assert len(lost) == 1
    assert lost[0] <= 8 + 8
    names = [Path(event.match.track.path).stem for event in events if event.kind == "found" and event.match]
    assert list(dict.fromkeys(names)) == [music[0].stem, music[3].stem]


def test_it_listens_for_hours_without_keeping_what_it_heard(
    catalog: earmark.Catalog, music: Sequence[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LISTENED_AGAIN_SECONDS > 60
    monkeypatch.setattr("earmark.apps.listen.LISTENED_AGAIN_SECONDS", 10.0)
    events = heard(Listening(catalog, rate=RATE), piece(music[1], 0, 28))
    assert [event.seconds for event in events] == pytest.approx(range(1, 29))
    assert "lost" not in [event.kind for event in events]
    assert events[-1].position == pytest.approx(28, abs=0.05)


def test_a_gap_begins_anew(catalog: earmark.Catalog, music: Sequence[Path]) -> None:
    listening = Listening(catalog, rate=RATE)
    heard(listening, piece(music[1], 5, 12))
    events = list(listening.take(Gap("the device is gone", NOON + 7)))
    assert [event.kind for event in events] == ["lost"]
    assert heard(listening, piece(music[10], 0, 2))[-1].kind == "listening"


def test_silence_and_sound_that_is_cut_off_are_said_while_they_happen(catalog: earmark.Catalog) -> None:
    loud = np.clip(3 * np.sin(np.arange(2 * RATE, dtype=np.float32) / 10), -1, 1).astype(np.float32)
    events = heard(Listening(catalog, rate=RATE), np.concatenate([loud, np.zeros(8 * RATE, np.float32)]))
    assert [event.is_clipped for event in events] == [True] * 2 + [False] * 8
    assert [event.is_silent for event in events] == [False] * 7 + [True] * 3
    assert events[0].level > -3
    assert events[-1].level == -120


def test_at_the_end_all_that_was_heard_counts(catalog: earmark.Catalog, music: Sequence[Path]) -> None:
    listening = Listening(catalog, rate=RATE)
    heard(listening, piece(music[2], 3, 7.5))
    event = listening.end()
    assert event.match is not None
    assert event.seconds == pytest.approx(4.5)
    assert event.position == pytest.approx(7.5, abs=0.05)
