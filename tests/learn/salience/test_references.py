from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import OptionError
from earmark.fingerprints.neural import Neural
from earmark.learn.salience.references import NOTHING, References, find_references, most_peaks

FRAMES = 63


@pytest.fixture(scope="module")
def shipped(training_set):
    """The peaks that a catalog has of the first recording."""
    fingerprinter = Neural()
    sound = training_set.music.excerpt(0, 0, int(training_set.music.lengths[0]))
    peaks, shape = fingerprinter.extract(sound).layers["peaks"], fingerprinter.companion
    assert shape is not None
    return peaks.frames, peaks.values - shape.front_end.low_bin


def cells(frames, bins, first):
    """Those under a clip of FRAMES frames that begins with frame `first`."""
    inside = (frames >= first) & (frames < first + FRAMES)
    return ((frames[inside] - first) * 496 + bins[inside]).tolist()


def test_the_peaks_are_those_of_a_catalog(references, shipped):
    frames, bins = shipped
    last = references.starts[1]
    assert np.array_equal(references.frames[:last], frames)
    assert np.array_equal(references.bins[:last], bins)


@pytest.mark.parametrize("first", [0, 1, 100, 777])
def test_a_window_has_the_peaks_of_its_stretch_and_nothing_else(references, shipped, first):
    window = references.window(0, first * references.hop, FRAMES)
    assert len(window) == most_peaks(FRAMES)
    found = window[window != NOTHING]
    assert found.tolist() == cells(*shipped, first)
    assert len(found) > 20


def test_a_clip_that_begins_between_frames_has_the_nearest_ones(references, shipped):
    for samples, first in ((-62, 300), (62, 300), (63, 301)):
        window = references.window(0, 300 * references.hop + samples, FRAMES)
        assert window[window != NOTHING].tolist() == cells(*shipped, first)


def test_beyond_a_recordings_end_there_are_none_of_the_next_one(references, training_set):
    window = references.window(0, int(training_set.music.lengths[0]) + 4_000, FRAMES)
    assert (window == NOTHING).all()


def test_no_stretch_has_more_peaks_than_there_is_room_for(references, training_set):
    counts = [
        np.count_nonzero(references.window(track, place, FRAMES) != NOTHING)
        for track in range(len(training_set.music))
        for place in range(0, int(training_set.music.lengths[track]), 1_777)
    ]
    assert 80 < max(counts) <= most_peaks(FRAMES) == 120


def test_a_second_time_they_are_there(training_set, recipe, references, tmp_path):
    told = []
    find_references(
        training_set.music, recipe, folder=tmp_path, progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (len(training_set.music), len(training_set.music))
    again = find_references(training_set.music, recipe, folder=tmp_path, progress=lambda done, total: told.append(None))
    assert None not in told
    assert np.array_equal(again.frames, references.frames)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]


def test_of_other_recordings_others_are_found(training_set, recipe, tmp_path):
    whole = find_references(training_set.music, recipe, folder=tmp_path)
    few = find_references(training_set.music.only(training_set.music.names[1:3]), recipe, folder=tmp_path)
    assert isinstance(few, References)
    assert np.array_equal(few.frames, whole.frames[whole.starts[1] : whole.starts[3]])


def test_a_damaged_file_is_said(training_set, recipe, tmp_path):
    find_references(training_set.music, recipe, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:1_000])
    with pytest.raises(OptionError, match="holds no peaks"):
        find_references(training_set.music, recipe, folder=tmp_path)
