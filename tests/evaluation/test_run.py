from __future__ import annotations

import pytest

import earmark
from earmark.errors import OptionError
from earmark.evaluation.queries import ClipMaker, Grid, from_music
from earmark.evaluation.run import ANSWERS, answer, read, run_folder, stamps


@pytest.fixture(scope="module")
def queries(music):
    grid = Grid(snr_decibels=(None,), t60_seconds=(0.0,), seconds=(3.0,))
    return from_music([(path.stem, path) for path in music[:2]], [(music[2].stem, music[2])], grid, count=3, seed=1)


@pytest.fixture(scope="module")
def catalog(music, tmp_path_factory):
    with earmark.open(tmp_path_factory.mktemp("evaluated") / "music.earmark") as catalog:
        catalog.add([str(path) for path in music[:2]], ids={str(path): path.stem for path in music[:2]})
        yield catalog


class Counting:
    """Makes clips, and counts them."""

    def __init__(self):
        self.made = []
        self.maker = ClipMaker()

    def __call__(self, query):
        self.made.append(query.id)
        return self.maker(query)


def test_clean_clips_are_found_in_their_place(catalog, queries, tmp_path):
    stages = []
    replies = answer(catalog, queries, tmp_path, maker=ClipMaker(), workers=1, progress=stages.append)
    for query, reply in zip(queries, replies, strict=True):
        assert reply.id == query.id
        assert reply.accepted == (query.track is not None)
        if query.track is not None:
            assert reply.first.track == query.track
            assert reply.first.start == pytest.approx(query.start, abs=0.05)
    assert [stage.done for stage in stages] == list(range(1, 7))
    assert stages[-1].seconds_left == 0


def test_what_was_answered_is_not_asked_again(catalog, queries, tmp_path):
    first, second = Counting(), Counting()
    whole = answer(catalog, queries, tmp_path, maker=first, workers=1)
    lines = (tmp_path / ANSWERS).read_text().splitlines(keepends=True)
    (tmp_path / ANSWERS).write_text("".join(lines[:4]) + lines[4][:20])  # as if it had been interrupted while writing
    resumed = answer(catalog, queries, tmp_path, maker=second, workers=1)
    assert [reply.candidates for reply in resumed] == [reply.candidates for reply in whole]
    assert set(second.made) == {query.id for query in queries[4:]}
    third = Counting()
    assert answer(catalog, queries, tmp_path, maker=third, workers=1) == list(read(tmp_path / ANSWERS).values())
    assert third.made == []


def test_answers_that_are_none_are_refused(tmp_path):
    (tmp_path / ANSWERS).write_text('{"id": "1"}\n')
    with pytest.raises(OptionError, match="remove it to begin again"):
        read(tmp_path / ANSWERS)


def test_a_run_has_its_place_by_its_parameters(tmp_path):
    first = run_folder(tmp_path, "music", {"seed": 1, "snr": (None, 5.0)})
    assert first == run_folder(tmp_path, "music", {"snr": (None, 5.0), "seed": 1})
    assert first != run_folder(tmp_path, "music", {"seed": 2, "snr": (None, 5.0)})
    assert (first / "parameters.json").exists()


def test_other_music_has_another_stamp(music):
    assert stamps(music[:2]) != stamps(music[:3])
