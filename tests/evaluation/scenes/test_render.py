"""A scene sounds as its truth says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from earmark.distort.levels import active_power
from earmark.evaluation.scenes.kinds import DjMix, Jingles, Playlist, scenes_of
from earmark.evaluation.scenes.material import LEVEL
from earmark.evaluation.scenes.render import LOUDEST, render
from earmark.evaluation.scenes.scene import Scene

RATE = 16_000


def similarity(one, other):
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def test_pieces_are_where_the_truth_has_them_and_equally_loud(material):
    clean, noisy = scenes_of("playlist", Playlist(seconds=(8.0,), pieces=4), material, seed=1, count=1)
    heard, paths = render(clean, material), dict(material.tracks)
    assert len(heard) == 32 * RATE
    for piece in clean.pieces:
        there = heard[round(piece.query_start * RATE) : round(piece.query_end * RATE)]
        recorded = material.sounds.piece(paths[piece.track], piece.reference_start, piece.seconds)
        assert similarity(there, recorded) > 0.9999
        assert active_power(there, rate=RATE) == pytest.approx(LEVEL**2, rel=0.02)
    noise = render(noisy, material) - heard
    assert 10 * np.log10(active_power(heard, rate=RATE) / np.mean(noise**2)) == pytest.approx(5, abs=0.1)


def test_a_jingle_takes_the_place_of_speech(material):
    (show,) = scenes_of("jingles", Jingles(minutes=(1.0,)), material, seed=1, count=1)
    heard, jingle = render(show, material), show.pieces[0]
    there = heard[round(jingle.query_start * RATE) : round(jingle.query_end * RATE)]
    recorded = material.sounds.piece(dict(material.tracks)[jingle.track], jingle.reference_start, jingle.seconds)
    assert similarity(there, recorded) > 0.9999


def test_a_piece_at_another_speed_keeps_to_its_line(material):
    mix = DjMix(pieces=2, seconds=(24.0, 24.0), fade_seconds=4.0)
    (scene,) = scenes_of("mix", mix, material, seed=1, count=1)
    second = scene.pieces[1]
    heard, path = render(scene, material), dict(material.tracks)[second.track]
    for at in (second.heard_start + 5, second.heard_end - 2):
        there = heard[round(at * RATE) : round((at + 0.5) * RATE)]
        recorded = material.sounds.piece(path, second.reference_at(at), 0.5 * second.speed)
        played = np.interp(np.arange(len(there)) * second.speed, np.arange(len(recorded)), recorded)
        assert similarity(there, played) > 0.9


def test_a_cross_fade_keeps_the_power(material):
    (scene,) = scenes_of("mix", DjMix(pieces=2, seconds=(20.0, 20.0)), material, seed=1, count=1)
    first = scene.excerpts[0]
    faded, whole = (
        render(Scene("", "", 0, 20.0, (excerpt,)), material) for excerpt in (first, replace(first, fade_out=0.0))
    )
    middle = slice(round(16 * RATE), round(16 * RATE) + 1)
    assert faded[middle] == pytest.approx(whole[middle] * np.sqrt(0.5), rel=1e-3)
    assert np.array_equal(faded[: 12 * RATE], whole[: 12 * RATE])
    assert abs(faded[-1]) < 1e-3


def test_what_is_too_loud_is_made_softer(material):
    (scene,) = scenes_of(
        "playlist", Playlist(seconds=(8.0,), pieces=1, snr_decibels=(None,)), material, seed=1, count=1
    )
    loud = replace(scene, excerpts=tuple(replace(excerpt, gain=30.0) for excerpt in scene.excerpts))
    assert np.abs(render(loud, material)).max() == pytest.approx(LOUDEST)
    assert not render(Scene("", "", 0, 2.0, ()), material).any()
