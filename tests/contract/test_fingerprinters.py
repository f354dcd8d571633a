"""What every fingerprinter does, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.errors import OptionError
from earmark.fingerprints import NAMES, make
from earmark.fingerprints.protocol import Fingerprinter, Segmented
from earmark.types import Fingerprint, Spec

FEWEST_TIMES = {"neural": 1.5, "shazam": 3.0}  # a clip under noise is liker than noise alone
OTHER_SETTINGS: dict[str, dict[str, object]] = {"neural": {"peaks": False}, "shazam": {"density": "lean"}}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sound(name: str, music: Sequence[Path]) -> np.ndarray:
    return load(music[1], rate=make(name).rate)[0][: 12 * make(name).rate]


def test_it_says_what_shaped_it_and_the_same_settings_say_the_same(name: str) -> None:
    assert make(name).spec == make(name).spec == Spec.parse(str(make(name).spec))
    assert make(name, **OTHER_SETTINGS[name]).spec != make(name).spec
    assert make(name).spec.name == name


def test_a_setting_that_it_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"loudness is no setting of {name}, which has"):
        make(name, loudness=3)


def test_frames_do_not_decrease_and_lie_within_the_sound(name: str, sound: np.ndarray) -> None:
    fingerprint = make(name).extract(sound)
    assert (np.diff(fingerprint.frames) >= 0).all()
    assert 0 <= fingerprint.frames[0] <= fingerprint.frames[-1] * make(name).frame_seconds <= fingerprint.seconds
    assert len(fingerprint.frames) == len(fingerprint.features) > 20
    assert fingerprint.frames.dtype == np.int32


def test_a_query_is_looked_at_more_closely_and_little_beyond_its_edges(name: str, sound: np.ndarray) -> None:
    maker = make(name)
    asked = maker.extract(sound, query=True)
    assert len(asked.frames) > len(maker.extract(sound).frames)
    assert (np.diff(asked.frames) >= 0).all()
    seconds = asked.frames[[0, -1]] * maker.frame_seconds
    assert -0.5 <= seconds[0] <= seconds[1] <= asked.seconds


@pytest.mark.parametrize("query", [False, True])
def test_blocks_do_not_matter(name: str, sound: np.ndarray, query: bool) -> None:
    whole = make(name).extract(sound, query=query)
    blocks = make(name).extract(np.array_split(sound, 37), query=query)
    assert_equal(whole, blocks)


@pytest.mark.parametrize("query", [False, True])
def test_what_is_packed_comes_back(name: str, sound: np.ndarray, query: bool) -> None:
    maker = make(name)
    fingerprint = maker.extract(sound, query=query)
    again = maker.unpack(maker.pack(fingerprint))
    assert_equal(again, fingerprint)


def test_terms_belong_to_frames_and_are_the_same_after_packing(name: str, sound: np.ndarray) -> None:
    maker = make(name)
    fingerprint = maker.extract(sound)
    frames, keys = maker.terms(fingerprint)
    again_frames, again_keys = maker.terms(maker.unpack(maker.pack(fingerprint)))
    assert np.array_equal(frames, again_frames)
    assert np.array_equal(keys, again_keys)
    assert len(frames) == len(keys) > 0
    assert np.isin(frames, fingerprint.frames).all()


def test_a_noisy_clip_is_like_its_recording_and_noise_is_not(name: str, sound: np.ndarray) -> None:
    maker = make(name)
    noise = np.random.default_rng(3).normal(size=len(sound)).astype(np.float32)
    noisy = sound + noise * np.float32(np.sqrt(np.mean(sound**2)) / 10 ** (10 / 20))
    known = maker.extract(sound)
    asked, other = (maker.extract(clip, query=True) for clip in (noisy, noise))
    assert likeness(maker, known, asked) > FEWEST_TIMES[name] * likeness(maker, known, other)


def likeness(maker: Fingerprinter, known: Fingerprint, asked: Fingerprint) -> float:
    """Return the share of a recording's codes that a clip has too, or how near its vectors are to the nearest."""
    if isinstance(maker, Segmented):
        return float((maker.vectors(known) @ maker.vectors(asked).T).max(axis=1).mean())
    return float(np.isin(maker.terms(known)[1], maker.terms(asked, query=True)[1]).mean())


def assert_equal(one: Fingerprint, other: Fingerprint) -> None:
    """Assert that two fingerprints are the same, and what is beside them."""
    assert np.array_equal(one.features, other.features)
    assert np.array_equal(one.frames, other.frames)
    assert (one.seconds, one.spec) == (other.seconds, other.spec)
    assert (one.beside is None) == (other.beside is None)
    if one.beside and other.beside:
        assert_equal(one.beside, other.beside)
