"""What scenes are made of, and that their truth is in them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from earmark.errors import OptionError
from earmark.evaluation.scenes.kinds import (
    KINDS,
    Bed,
    Bursts,
    DjMix,
    Edits,
    Halves,
    Jingles,
    Playlist,
    Talk,
    Together,
    UnknownMusic,
    scenes_of,
)
from earmark.evaluation.scenes.material import Material

SHORT = {  # the kinds, so short that the bundled excerpts of 30 s suffice
    "playlist": Playlist(seconds=(8.0, 12.0), pieces=6),
    "jingles": Jingles(minutes=(2.0,)),
    "halves": Halves(),
    "together": Together(),
    "edits": Edits(seconds=(16.0, 20.0)),
    "mix": DjMix(pieces=4, seconds=(20.0, 25.0)),
    "bed": Bed(seconds=(8.0, 12.0), minutes=1.0),
    "talk": Talk(minutes=1.0),
    "unknown": UnknownMusic(minutes=1.0),
    "bursts": Bursts(),
}


def drawn(name, material, *, seed=1, count=1):
    return list(scenes_of(name, SHORT[name], material, seed=seed, count=count))


def test_every_kind_that_is_measured_is_tried_here():
    assert SHORT.keys() == KINDS.keys()


@pytest.mark.parametrize("name", SHORT)
def test_scenes_depend_on_the_seed_alone(name, material):
    scenes = drawn(name, material)
    assert scenes == drawn(name, material)
    assert scenes != drawn(name, material, seed=2)
    assert len({scene.id for scene in scenes}) == len(scenes)
    assert drawn(name, material, count=2)[0] == scenes[0]


@pytest.mark.parametrize("name", SHORT)
def test_pieces_lie_within_their_scene_and_their_recording(name, material):
    for scene in drawn(name, material, count=3):
        for excerpt in scene.excerpts:
            assert excerpt.at >= 0
            assert excerpt.end <= scene.seconds + 1e-9
            assert excerpt.start >= 0
            assert excerpt.start + excerpt.seconds * excerpt.speed <= material.sounds.seconds(excerpt.path) + 1e-9


def test_a_playlist_has_different_tracks_without_gaps_and_noise_is_added_to_the_same(material):
    scenes = drawn("playlist", material)
    assert [(scene.condition, scene.snr_decibels) for scene in scenes] == [
        ("8 s", None), ("8 s", 5.0), ("12 s", None), ("12 s", 5.0),
    ]  # fmt: skip
    clean, noisy = scenes[2:]
    assert clean.excerpts == noisy.excerpts
    assert [piece.query_start for piece in clean.pieces] == [0, 12, 24, 36, 48, 60]
    assert all(before.query_end == after.query_start for before, after in pairwise(clean.pieces))
    assert len({piece.track for piece in clean.pieces}) == 6


def test_jingles_stand_in_a_talk_and_some_come_again(material):
    (show,) = drawn("jingles", material)
    assert show.seconds == 120
    assert len(show.pieces) == 6
    for before, after in pairwise(show.pieces):
        assert 12 <= after.query_start - before.query_start <= 22
    for piece in show.pieces:
        assert piece.label == f"{piece.seconds:g} s"
    always = replace(SHORT["jingles"], minutes=(10.0,), seconds=(3.0,), again=1.0)
    (again,) = scenes_of("jingles", always, material, seed=1, count=1)
    assert len({(piece.track, piece.reference_start) for piece in again.pieces}) == 1


@pytest.mark.parametrize(("edit", "least", "most"), [("cut", 2, 8), ("inserted", 0, 0), ("repeated", -8, -2)])
def test_an_edit_skips_what_it_says(edit, least, most, material):
    scenes = [scene for scene in drawn("edits", material, count=4) if scene.condition == edit]
    assert len(scenes) == 8
    for scene in scenes:
        before, after = scene.pieces
        assert before.track == after.track
        assert before.query_start == before.heard_start == 0
        assert after.query_end == pytest.approx(scene.seconds)
        gap = after.query_start - before.query_end
        assert (2 <= gap <= 8) if edit == "inserted" else gap == pytest.approx(0)
        skipped = after.reference_start - before.reference_at(before.query_end)
        assert least - 1e-9 <= skipped <= most + 1e-9


def test_the_border_of_a_cross_fade_is_its_middle(material):
    (mix,) = drawn("mix", material)
    for before, after in pairwise(mix.pieces):
        assert before.heard_end - after.heard_start == pytest.approx(8)
        assert before.query_end == pytest.approx(after.query_start)
        assert after.query_start == pytest.approx(after.heard_start + 4)
        assert 0.96 <= after.speed <= 1.04
    assert mix.pieces[0].query_start == 0
    assert mix.pieces[-1].query_end == mix.seconds


def test_what_is_unknown_holds_no_pieces(material):
    for name in ("talk", "unknown", "bursts"):
        for scene in drawn(name, material, count=3):
            assert scene.pieces == ()
            assert scene.excerpts


def test_unknown_music_is_heard_once(material):
    (scene,) = scenes_of("unknown", UnknownMusic(minutes=120.0), material, seed=1, count=1)
    assert len({excerpt.path for excerpt in scene.excerpts}) == len(scene.excerpts) == 3


@pytest.mark.parametrize(
    ("name", "without", "message"),
    [
        ("jingles", {"speech": ()}, "no speech; give a folder"),
        ("unknown", {"unknown": ()}, "no unknown music; give a folder"),
        ("bursts", {"speech": (), "unknown": ()}, "give a folder of unknown music or of speech"),
    ],
)
def test_a_kind_says_what_it_lacks(name, without, message, material):
    with pytest.raises(OptionError, match=message):
        list(scenes_of(name, SHORT[name], replace(material, **without), seed=1))


def test_music_that_is_too_short_is_refused(material):
    with pytest.raises(OptionError, match="none of 11 recordings has 300"):
        list(scenes_of("playlist", Playlist(seconds=(300.0,)), material, seed=1))


def test_talk_ends_when_less_than_a_sample_is_left(material: Material) -> None:
    assert material.talk(1e-5, np.random.default_rng(1)) == ()
    turns = material.talk(20.00001, np.random.default_rng(1))
    assert sum(turn.seconds for turn in turns) == pytest.approx(20.0, abs=1e-4)
