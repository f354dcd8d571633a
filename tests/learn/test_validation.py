from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from earmark.fingerprints.mel import log_mel_segments, normalised
from earmark.learn.recipe import Playing
from earmark.learn.validation import HOP_SECONDS, Places, Validation, every_segment
from tests.learn.test_pairs import NOTHING


def flat(segments):
    vectors = segments.reshape(len(segments), -1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def easy(training_set, recipe):
    return Validation(training_set, replace(recipe, ranges=NOTHING, playing=Playing()), queries=100)


def test_a_hit_is_the_right_track_within_half_a_second(easy, monkeypatch):
    def places(vectors, tracks, seconds):
        return Places(np.array(vectors, np.float32), np.array(tracks), np.array(seconds))

    monkeypatch.setattr(easy, "catalog", places([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [4, 4, 5], [2.0, 2.5, 2.0]))
    queries = [[0.9, 0.1, 0], [0.9, 0.1, 0], [0, 0.2, 0.8], [0, 0.8, 0.6]]
    #                                        half a second off; more; another track; right
    monkeypatch.setattr(easy, "queries", places(queries, [4, 4, 4, 4], [2.5, 2.6, 2.0, 2.4]))
    assert easy.hit_rate(lambda vectors: vectors) == 0.5


def test_vectors_by_chance_find_nothing(easy):
    generator = np.random.default_rng(0)
    assert easy.hit_rate(flat) > 0.5
    assert easy.hit_rate(lambda segments: flat(generator.standard_normal((len(segments), 16), np.float32))) < 0.02


def test_distortions_make_it_harder(easy, training_set, recipe):
    assert Validation(training_set, recipe, queries=100).hit_rate(flat) < easy.hit_rate(flat)


def test_queries_are_at_least_as_many_as_wanted_and_always_the_same(easy, training_set, recipe):
    again = Validation(
        training_set, replace(recipe, ranges=NOTHING, playing=Playing(), seed=recipe.seed + 1), queries=100
    )
    assert len(easy.queries.tracks) == 104  # batches of 8
    assert np.array_equal(easy.queries.segments, again.queries.segments)


def test_the_catalog_holds_a_segment_every_half_second_of_every_track(sounds, music, recipe):
    two, shape = sounds.only([str(path) for path in music[:2]]), recipe.log_mel
    places = every_segment(two, shape)
    assert set(places.tracks) == {0, 1}
    assert set(np.diff(places.seconds[places.tracks == 1])) == {HOP_SECONDS}
    third = two.excerpt(0, round(2 * HOP_SECONDS * shape.rate), shape.segment_samples)
    assert np.allclose(places.segments[2], normalised(log_mel_segments(third[None], shape), shape)[0], atol=1e-5)
