"""What an index finds, how it is measured, and what stands in for a large catalog."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earmark.errors import CatalogNotFound, OptionError
from earmark.evaluation.indexes import clips, figure, report
from earmark.evaluation.indexes.grid import GRID, Kind
from earmark.evaluation.indexes.measure import Ranking, asked, built, measure, recalls
from earmark.evaluation.indexes.vector_set import VectorSet, of_catalog, of_tracks, unit
from earmark.fingerprints import make
from earmark.plan import LearnedCodes
from earmark.types import Hits

TRACKS, LENGTH = 12, 60


def tracks() -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Walks in 40 directions of 128."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((40, 128))
    for number in range(1, TRACKS + 1):
        steps = rng.standard_normal((LENGTH + 1, 40)) + 0.5 * rng.standard_normal(40)
        walk = unit(((steps[1:] + steps[:-1]) @ directions).astype(np.float32))
        yield number, np.arange(LENGTH, dtype=np.int32) * 16, np.rint(254 * walk).clip(-127, 127).astype(np.int8)


@pytest.fixture(scope="module")
def vector_set() -> VectorSet:
    return of_tracks(make("neural"), tracks(), paths={}, vectors=2_000)


def test_a_small_catalog_is_made_large_by_copies_that_lie_near(vector_set: VectorSet) -> None:
    grown = list(vector_set.tracks())
    assert sum(len(vectors) for _, _, vectors in grown) == 2_000
    assert [number for number, _, _ in grown] == list(range(1, len(grown) + 1))
    for (_, frames, vectors), (_, own_frames, own) in zip(tracks(), grown, strict=False):
        assert np.array_equal(vectors, own)
        assert np.array_equal(frames, own_frames)
    original, copy = (unit(grown[place][2].astype(np.float32)) for place in (2, TRACKS + 2))
    cosines = (original * copy).sum(axis=1)
    assert cosines.mean() == pytest.approx(1 / np.sqrt(1.25), abs=0.05)
    again = vector_set.track(TRACKS + 3)
    assert np.array_equal(again[1], grown[TRACKS + 2][2])


def test_noise_lies_where_the_vectors_lie(vector_set: VectorSet) -> None:
    noise = vector_set.noise(np.random.default_rng(0), 1_000)
    held = np.linalg.svd(noise, compute_uv=False)
    assert (held[40:] < 0.02 * held[0]).all()


def test_invented_clips_are_near_to_their_track(vector_set: VectorSet) -> None:
    made = clips.synthetic_clips(vector_set, count=10, seed=1)
    assert [clip.track for clip in made] == [clip.track for clip in clips.synthetic_clips(vector_set, count=10, seed=1)]
    for clip in made:
        _, vectors = vector_set.track(clip.track)
        nearest = (unit(clip.vectors.astype(np.float32)) @ unit(vectors.astype(np.float32)).T).max(axis=1)
        assert nearest.mean() > 0.45


def test_no_more_of_a_long_clip_is_asked_than_a_catalog_asks() -> None:
    frames = np.arange(39, dtype=np.int32) * 4 - 12
    clip = clips.Clip("clean@5", frames, np.zeros((39, 128), np.int8), 4, 1)
    assert clip.asked[0].tolist() == frames[::2].tolist()


def test_recall_counts_what_exact_search_finds(vector_set: VectorSet) -> None:
    def hits(*scores: float) -> Hits:
        count = len(scores)
        return Hits(
            np.zeros(count, np.int32), np.arange(count, dtype=np.int32), np.zeros(count, np.int32),
            np.array(scores, np.float32),
        )  # fmt: skip

    exact = [hits(*np.linspace(0.9, 0.5, 20)), hits(0.8, 0.7)]
    assert recalls(exact, exact) == (1.0, 1.0)
    assert recalls([hits(0.9), hits()], exact) == (0.5, pytest.approx(0.05))
    assert recalls([hits(0.7), hits(0.8, 0.7)], exact) == (0.5, pytest.approx(0.5))
    guessed = [hits(*np.linspace(0.7, 0.6, 20)), hits(0.9)]
    assert recalls(guessed, exact, scored=False) == (1.0, pytest.approx(0.75))


def test_each_kind_is_compared_with_exact_search(vector_set: VectorSet) -> None:
    made = clips.synthetic_clips(vector_set, count=15, seed=2)
    told: list[str] = []
    kinds = [Kind.parse("lsh:smallest=1,bits=6,probes=3"), Kind.parse("pq:smallest=1,probes=90,rerank=500")]
    exact, few, many = measure(vector_set, made, kinds, lambda doing, *_: told.append(doing))
    assert (exact.index, exact.recall_at_1, exact.recall_at_10, exact.compared_share) == ("linear", 1, 1, 1)
    assert few.index == "lsh:smallest=1,bits=6,probes=3"
    assert few.recall_at_1 < 1
    assert few.compared_share < 0.3
    assert many.recall_at_1 > 0.95
    assert many.rank_1 >= exact.rank_1 - 0.1
    assert many.memory_bytes_per_vector > 20 > exact.memory_bytes_per_vector
    assert exact.rank_1 > 0.6
    assert {"adding to linear", "building linear", "asking linear"} <= set(told)


def test_kinds_that_are_only_asked_otherwise_are_built_once(vector_set: VectorSet) -> None:
    told: list[str] = []
    kinds = [Kind.parse(f"lsh:smallest=1,bits=6,probes={probes}") for probes in (1, 640)]
    made = clips.synthetic_clips(vector_set, count=3, seed=5)
    _, few, many = measure(vector_set, made, kinds, lambda doing, *_: told.append(doing))
    assert few.recall_at_1 < many.recall_at_1 == 1
    assert few.build_seconds == many.build_seconds
    assert f"building {kinds[0]}" in told
    assert f"building {kinds[1]}" not in told


def test_a_clip_is_found_along_a_diagonal(vector_set: VectorSet) -> None:
    (clip,) = clips.synthetic_clips(vector_set, count=1, seed=3)
    index, _ = built(Kind("linear"), vector_set, lambda *_: None)
    (hits,), _ = asked(index, [clip])
    ranking = Ranking(vector_set)
    assert ranking.found(clip, hits)
    assert not ranking.found(clips.Clip("x", clip.frames, clip.vectors, 16, clip.track + 1), hits)
    nothing = Hits(*(np.zeros(0, np.int32),) * 3, np.zeros(0, np.float32))
    assert not ranking.found(clip, nothing)


def test_all_of_the_grid_can_be_made() -> None:
    assert [str(Kind.parse(text)) for text in GRID] == list(GRID)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("postings", "holds no vectors"),
        ("pq:probes", "is not OPTION=NUMBER"),
        ("pq:probe=3", "probe is no option of pq, which has .*probes"),
        ("pq:probes=0", "at least 1 list"),
    ],
)
def test_kinds_that_there_are_not_are_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Kind.parse(text)


def test_what_holds_no_vectors_is_refused(tmp_path: Path) -> None:
    import earmark

    with pytest.raises(CatalogNotFound):
        of_catalog(tmp_path / "nothing")
    earmark.open(tmp_path / "codes", fingerprinter="shazam").close()
    with pytest.raises(OptionError, match="nothing to compare"):
        of_catalog(tmp_path / "codes")
    earmark.open(tmp_path / "empty").close()
    with pytest.raises(OptionError, match="index some music first"):
        of_catalog(tmp_path / "empty")


def test_the_result_is_written_as_tables_and_a_picture(vector_set: VectorSet, tmp_path: Path) -> None:
    made = clips.synthetic_clips(vector_set, count=3, seed=4)
    measured = list(measure(vector_set, made, [Kind.parse("hnsw:smallest=1,breadth=30")]))
    written = report.write(measured, {"vectors": 2_000}, tmp_path)
    written.append(figure.draw(measured, tmp_path / "a.png", title=""))
    assert [path.name for path in written] == ["indexes.json", "indexes.csv", "indexes.md", "a.png"]
    assert json.loads(written[0].read_text())["indexes"][0]["recall_at_1"] == 1
    with written[1].open() as handle:
        assert [row["index"] for row in csv.DictReader(handle)] == ["linear", "hnsw:smallest=1,breadth=30"]
    assert written[2].read_text().count("\n") == 4
    assert written[3].read_bytes().startswith(b"\x89PNG")


def test_a_networks_own_codes_are_measured_as_the_buckets_of_hashcode(vector_set: VectorSet) -> None:
    planes = unit(np.random.default_rng(6).standard_normal((5, 128)).astype(np.float32))
    codes = LearnedCodes("signs", planes, np.zeros(5, np.float32))
    channel = replace(vector_set.channel, codes=codes)
    plan = replace(vector_set.fingerprinter.plan, channels=(channel,))
    fingerprinter = make("neural")
    fingerprinter.plan = plan
    made = clips.synthetic_clips(vector_set, count=3, seed=7)
    kinds = [Kind.parse(f"hashcode:smallest=1,{more}") for more in ("probes=32", "probes=1,bits=3")]
    _, learned, fitted = measure(replace(vector_set, fingerprinter=fingerprinter), made, kinds)
    assert learned.recall_at_1 == learned.compared_share == 1  # all of 2^5 buckets
    assert fitted.compared_share < 0.5
    assert 0.3 < learned.entropy < fitted.entropy <= 1
    assert learned.largest_bucket > fitted.largest_bucket >= 1
