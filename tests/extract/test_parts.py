"""Long questions: looked at as a recording is, and closer in parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.audio.decode import load
from earmark.extract.fingerprint import extracted_query
from earmark.extract.fingerprinter import make_fingerprinter
from earmark.extract.parts import fingerprint_of_query, fingerprints_of_parts
from earmark.extract.pool import ExtractorPool

CLOSE_SECONDS = 15.0
SPANS = [(0.0, 6.0), (9.0, 14.5), (12.0, 20.0)]


@pytest.fixture(scope="module", params=["shazam", "neural"])
def maker(request: pytest.FixtureRequest):
    return make_fingerprinter(request.param, {})


@pytest.fixture(scope="module")
def sound(music: Sequence[Path], maker) -> np.ndarray:
    return load(music[1], rate=maker.rate)[0][: 24 * maker.rate]


def blocks(sound: np.ndarray, size: int) -> list[np.ndarray]:
    return [sound[first : first + size] for first in range(0, len(sound), size)]


def test_a_short_question_is_looked_at_closely_and_a_longer_one_as_a_recording(maker, sound, alike) -> None:
    short = sound[: round(CLOSE_SECONDS * maker.rate)]
    for asked, is_close in ((short, True), (sound, False)):
        look = fingerprint_of_query(blocks(asked, 5_000), maker, close_seconds=CLOSE_SECONDS)
        assert look.is_close == is_close
        assert alike(look.fingerprint, maker.extract(asked, query=is_close))
    look = fingerprint_of_query(blocks(sound, 5_000), maker, close_seconds=None)
    assert look.is_close
    assert alike(look.fingerprint, maker.extract(sound, query=True))


def test_parts_are_what_a_close_look_at_the_whole_has_there(maker, sound) -> None:
    whole, layer = maker.extract(sound, query=True), maker.plan.compare[-1].layer
    for (begin, end), part in zip(SPANS, fingerprints_of_parts([sound], maker, SPANS), strict=True):
        assert part.seconds == pytest.approx(end - begin, abs=0.02)
        there = whole.between(begin, end)
        both = [
            set(zip(*(x.tolist() for x in (one.layers[layer].frames, one.layers[layer].values)), strict=True))
            for one in (part, there)
        ]
        near = {(frame + ahead, value) for frame, value in both[1] for ahead in (-1, 0, 1)}
        assert len(both[0] & near) > 0.8 * len(both[0])
        assert len(both[0]) == pytest.approx(len(both[1]), rel=0.1)


@pytest.mark.parametrize("size", [777, 40_000])
def test_parts_are_the_same_however_sound_arrives(maker, sound, alike, size: int) -> None:
    expected = fingerprints_of_parts([sound], maker, SPANS)
    found = fingerprints_of_parts(blocks(sound, size), maker, SPANS)
    assert all(alike(one, other) for one, other in zip(found, expected, strict=True))


def test_a_part_that_reaches_beyond_the_end_ends_with_the_sound(maker, sound) -> None:
    [part] = fingerprints_of_parts([sound], maker, [(20.0, 40.0)])
    assert part.seconds == pytest.approx(4.0, abs=0.05)


def test_parts_of_a_file_come_from_a_child_and_are_those_of_its_samples(pool, music: Sequence[Path], alike) -> None:
    children = pool(1)
    maker = children.fingerprinter
    samples = load(music[1], rate=maker.rate)[0]
    with extracted_query(music[1], children, close_seconds=CLOSE_SECONDS) as (extracted, closer):
        assert not extracted.is_close
        assert alike(extracted.fingerprint, maker.extract(samples))
        found = closer(SPANS)
    with extracted_query((samples, maker.rate), children, close_seconds=CLOSE_SECONDS) as (again, closer):
        assert not again.is_close
        expected = closer(SPANS)
    assert all(alike(one, other) for one, other in zip(found, expected, strict=True))


def test_of_what_was_looked_at_closely_there_is_no_more_to_see(pool, music: Sequence[Path]) -> None:
    children = pool(1)
    rate = children.fingerprinter.rate
    short = load(music[1], rate=rate)[0][: 5 * rate]
    fingerprint = children.fingerprinter.extract(short, query=True)
    for source in ((short, rate), fingerprint):
        with extracted_query(source, children, close_seconds=CLOSE_SECONDS) as (extracted, closer):
            assert extracted.is_close
            assert closer is None
    with extracted_query(music[1], children, close_seconds=3_600.0) as (extracted, closer):
        assert extracted.is_close
        assert closer is None


@pytest.fixture(scope="module")
def neural_child() -> Iterator[ExtractorPool]:
    """One child that makes the fingerprints of a kind with a glance."""
    with closing(ExtractorPool("neural", {}, workers=1)) as children:
        yield children


def test_a_short_question_is_glanced_at_and_its_sound_is_kept_for_a_close_look(
    neural_child: ExtractorPool, music: Sequence[Path], tmp_path: Path, alike
) -> None:
    children, maker = neural_child, neural_child.fingerprinter
    clip = load(music[1], rate=maker.rate)[0][: 3 * maker.rate]
    path = tmp_path / "clip.wav"
    soundfile.write(path, clip, maker.rate, subtype="FLOAT")
    for source in (path, path.read_bytes(), (clip, maker.rate)):
        with extracted_query(source, children, close_seconds=15.0, glance_seconds=7.5) as (extracted, closer):
            assert not extracted.is_close
            assert extracted.seconds == pytest.approx(3.0)
            assert np.array_equal(extracted.sound, clip)
            assert alike(extracted.fingerprint, maker.glance(clip))
            assert closer is not None
            [close] = closer([(0.0, extracted.seconds)])
        assert alike(close, maker.extract(clip, query=True))


def test_a_longer_question_is_not_glanced_at(neural_child: ExtractorPool, music: Sequence[Path]) -> None:
    children = neural_child
    rate = children.fingerprinter.rate
    clip = load(music[1], rate=rate)[0][: 8 * rate]
    with extracted_query((clip, rate), children, close_seconds=15.0, glance_seconds=7.5) as (extracted, closer):
        assert extracted.is_close
        assert extracted.sound is None
        assert closer is None
