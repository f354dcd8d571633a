"""Two files are compared, whichever is the longer."""

from __future__ import annotations

import pytest

import earmark


def test_a_piece_is_found_in_its_whole_either_way_round(music, cut):
    whole, piece = music[5], cut(music[5], 10, 8)  # which does not repeat itself
    (first,), (second,) = earmark.compare(whole, piece).passages, earmark.compare(piece, whole).passages
    assert first.first_start - first.second_start == pytest.approx(10, abs=0.05)
    assert second.second_start - second.first_start == pytest.approx(10, abs=0.05)
    assert first.speed == pytest.approx(1, abs=0.002)


def test_of_different_recordings_there_is_no_passage_but_a_reason(music):
    found = earmark.compare(music[0], music[5])
    assert not found.same
    assert (found.passages, found.reason) == ((), "unknown")


@pytest.mark.parametrize("missing_first", [True, False])
def test_a_file_that_cannot_be_read_is_named(music, tmp_path, missing_first):
    files = [tmp_path / "missing.wav", music[0]]
    with pytest.raises(earmark.MediaError, match=r"missing\.wav"):
        earmark.compare(*(files if missing_first else files[::-1]))
