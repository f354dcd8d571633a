"""From a window of a clip to passages by signatures of wavelets alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.distort.timing import change_tempo
from earmark.fingerprints import make
from earmark.match.passages import Passage
from tests.match.shelf import Shelf, shelf_of, with_noise
from tests.match.shelf import cut as cut_at

RATE = 5_512
LOOPS = {0: 8.0, 4: 24.0}  # seconds: two excerpts repeat themselves


def cut(sound: np.ndarray, start: float, seconds: float) -> np.ndarray:
    return cut_at(sound, start, seconds, rate=RATE)


@pytest.fixture(scope="module")
def heard(music: Sequence[Path]) -> list[np.ndarray]:
    """Eight excerpts, whole; the last two are on no shelf."""
    return [load(path, rate=RATE)[0] for path in music[:8]]


@pytest.fixture(scope="module")
def signatures(heard: list[np.ndarray]) -> Shelf:
    return shelf_of(make("waveprint"), heard[:6])


def accepted(shelf: Shelf, clip: np.ndarray, **options: object) -> list[Passage]:
    """What is sure enough."""
    return shelf.ask(clip, **{"threshold": None, **options})


def beside(passage: Passage, start: float) -> float:
    """Seconds between the passage and the place where the clip was taken, or its nearest repetition."""
    period = LOOPS.get(passage.track, 1e9)
    return abs(
        (passage.reference_start - passage.speed * passage.query_start - start + period / 2) % period - period / 2
    )


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("start", [0.0, 7.321])
def test_a_noisy_clip_is_found_where_it_is(signatures: Shelf, number: int, start: float) -> None:
    best = accepted(signatures, with_noise(cut(signatures.sounds[number], start, 5.0), 20.0))[0]
    assert best.track == number
    assert beside(best, start) < 0.1
    assert (best.query_start, best.query_end) == pytest.approx((0.0, 5.0), abs=0.3)
    assert (best.speed, best.pitch) == (pytest.approx(1.0, abs=0.01), 1.0)
    assert best.position_error < 0.05


@pytest.mark.parametrize("tempo", [0.96, 1.04])
def test_a_clip_at_another_tempo_is_found_and_its_speed_told(signatures: Shelf, tempo: float) -> None:
    clip = change_tempo(cut(signatures.sounds[2], 8.0, 8.0).astype(np.float32), tempo, rate=RATE)
    best = accepted(signatures, clip[: 6 * RATE])[0]
    assert best.track == 2
    assert best.speed == pytest.approx(tempo, abs=0.01)
    assert best.pitch == 1.0
    assert beside(best, 8.0) < 0.1


def test_music_that_is_not_there_has_no_match(signatures: Shelf, heard: list[np.ndarray]) -> None:
    assert accepted(signatures, cut(heard[6], 3.0, 5.0)) == []
    assert accepted(signatures, heard[7]) == []
    assert accepted(signatures, np.random.default_rng(2).normal(size=5 * RATE) * 0.1) == []


def test_the_figures_of_a_match_are_its_evidence(signatures: Shelf) -> None:
    best = signatures.ask(cut(signatures.sounds[3], 9.0, 5.0))[0]
    assert best.evidence.keys() == {"share", "chance", "z", "rival_z", "seconds"}
    assert best.evidence["share"] > 0.7 > 0.3 > best.evidence["chance"]
    assert best.evidence["z"] > 20 > 8 > best.evidence["rival_z"]


def test_recordings_that_follow_one_another_are_told_apart(signatures: Shelf) -> None:
    order = [3, 2, 5]
    clip = np.concatenate([cut(signatures.sounds[number], 2.0, 20.0) for number in order])
    found = [match for match in signatures.ask(clip, several=True, limit=9) if match.query_end - match.query_start > 12]
    assert [match.track for match in found] == order
    for place, match in enumerate(found):
        assert match.query_start == pytest.approx(20.0 * place, abs=5.5)
        assert beside(match, 2.0 - 20.0 * place) < 0.3


def test_sound_that_arrives_is_known_in_the_end_as_it_is_at_once(signatures: Shelf) -> None:
    clip = with_noise(cut(signatures.sounds[2], 4.0, 7.0), 10.0).astype(np.float32)
    session, stream = signatures.session(threshold=None), signatures.maker.stream(query=True)
    for block in np.array_split(clip, 14):
        stream.push(block)
        session.hear(stream.take(since_seconds=session.since), final=False)
    session.hear(stream.take(since_seconds=session.since))
    [best] = session.passages()
    assert best.track == 2
    assert beside(best, 4.0) < 0.05
    assert session.decision() == best


def test_a_clip_of_less_than_two_images_has_no_match(signatures: Shelf) -> None:
    assert signatures.ask(cut(signatures.sounds[2], 4.0, 1.86)) == []
    assert signatures.ask(cut(signatures.sounds[2], 4.0, 2.2))[0].track == 2
