"""A first look at a clip by its peaks alone: it settles what is beyond doubt, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import resample_poly

from earmark.match.session import Session
from earmark.types import Fingerprint
from tests.match.shelf import Shelf, cut, shelf_of, with_noise


def glanced(shelf: Shelf, clip: np.ndarray) -> Session | None:
    """Return the session that a glance settled, or None where it left doubt."""
    session = shelf.session(threshold=None)
    return session if session.glance(shelf.maker.glance(clip.astype(np.float32))) else None


@pytest.mark.parametrize(("number", "seconds"), [(2, 2.0), (3, 3.0), (0, 5.0), (5, 7.0)])
def test_a_clear_clip_is_settled_where_a_close_look_finds_it(with_peaks: Shelf, number: int, seconds: float) -> None:
    clip = cut(with_peaks.sounds[number], 7.321, seconds)
    session = glanced(with_peaks, clip)
    assert session is not None
    [found] = session.passages()
    close = with_peaks.ask(clip)[0]
    assert found.track == close.track == number
    assert found.reference_at(0.0) == pytest.approx(close.reference_at(0.0), abs=0.005)
    assert (found.speed, found.pitch, found.is_measured) == (close.speed, close.pitch, close.is_measured)
    assert found.confidence > with_peaks.threshold
    assert session.seconds == pytest.approx(seconds, abs=0.001)


def test_its_evidence_says_nothing_of_what_was_not_looked_at(with_peaks: Shelf) -> None:
    session = glanced(with_peaks, cut(with_peaks.sounds[2], 7.321, 5.0))
    assert session is not None
    assert "z" in session.passages()[0].evidence
    assert "similarity" not in session.passages()[0].evidence


def test_what_is_heard_badly_stays_in_doubt(with_peaks: Shelf) -> None:
    noisy = with_noise(cut(with_peaks.sounds[4], 9.0, 5.0), -6.0)
    assert glanced(with_peaks, noisy) is None
    assert with_peaks.ask(noisy)[0].track == 4


def test_music_that_nobody_knows_stays_in_doubt(with_peaks: Shelf) -> None:
    others = shelf_of(with_peaks.maker, with_peaks.sounds[:4])
    for number in range(4, 8):
        assert glanced(others, cut(with_peaks.sounds[number], 5.0, 5.0)) is None


def test_so_does_a_place_that_its_track_has_again(with_peaks: Shelf) -> None:
    sound = with_peaks.sounds[2]
    loop = np.tile(cut(sound, 5.0, 6.0), 4)
    twice = shelf_of(with_peaks.maker, [*with_peaks.sounds[:2], loop])
    assert glanced(with_peaks, cut(sound, 6.0, 4.0)) is not None
    assert glanced(twice, cut(sound, 6.0, 4.0)) is None


def test_so_does_silence_beside_the_sound(with_peaks: Shelf) -> None:
    clip = cut(with_peaks.sounds[2], 7.321, 4.0)
    quiet = np.zeros(12_000, np.float32)
    assert glanced(with_peaks, np.concatenate([quiet, clip, quiet])) is None
    assert glanced(with_peaks, np.zeros(40_000, np.float32)) is None


def test_so_does_another_speed(with_peaks: Shelf) -> None:
    clip = resample_poly(cut(with_peaks.sounds[2], 7.0, 6.0), 100, 103)  # 3 % faster
    assert glanced(with_peaks, clip) is None
    assert with_peaks.ask(clip)[0].track == 2


def test_two_copies_are_both_told(with_peaks: Shelf) -> None:
    copies = shelf_of(with_peaks.maker, [*with_peaks.sounds[:4], with_peaks.sounds[2]])
    session = glanced(copies, cut(with_peaks.sounds[2], 7.321, 5.0))
    assert session is not None
    assert {one.track for one in session.passages()} == {2, 4}
    assert session.passages()[0].copies | {session.passages()[0].track} == {2, 4}


def test_kinds_without_a_glance_look_closely(shelves: dict[str, Shelf]) -> None:
    alone = shelves["without"]
    assert alone.plan.glance is None
    with pytest.raises(NotImplementedError, match="closely"):
        alone.maker.glance(np.zeros(8_000, np.float32))


def test_a_glance_is_of_peaks_as_those_of_a_recording(with_peaks: Shelf) -> None:
    clip = cut(with_peaks.sounds[3], 3.0, 4.0).astype(np.float32)
    glance: Fingerprint = with_peaks.maker.glance(clip)
    stored = with_peaks.maker.extract(clip)
    assert not len(glance.layers["vectors"].frames)
    for name in ("peaks", "strongest"):
        assert np.array_equal(glance.layers[name].frames, stored.layers[name].frames)
        assert np.array_equal(glance.layers[name].values, stored.layers[name].values)
    again = with_peaks.maker.unpack(with_peaks.maker.pack(glance))
    assert np.array_equal(again.layers["peaks"].values, glance.layers["peaks"].values)
