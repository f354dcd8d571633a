"""What a picture of an answer shows: the best track and the runner-up, moment by moment."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.match.protocol import Options
from earmark.match.trace import LONGEST_SECONDS, best_and_rival, trace_of
from earmark.types import Trace
from tests.match.shelf import Shelf, cut, with_noise

UNSURE = Options(threshold=0.0, limit=3)


def traces(shelf: Shelf, clip: np.ndarray) -> list[Trace]:
    asked, matcher = shelf.asked(clip), shelf.matcher()
    told = shelf.identify(asked, threshold=None, several=True)
    found = best_and_rival(matcher, shelf.index, UNSURE, asked, told, shelf.identify(asked, limit=3))
    return [trace for passages in found if (trace := trace_of(matcher, asked, passages)) is not None]


def test_the_best_track_agrees_where_it_plays_and_the_runner_up_nowhere(shelf: Shelf, sounds: list[np.ndarray]) -> None:
    clip = with_noise(np.concatenate([cut(sounds[8], 0.0, 8.0), cut(shelf.sounds[2], 3.0, 10.0)]), 10.0)
    best, rival = traces(shelf, clip)
    plays = (best.seconds > 9.0) & (best.seconds < 17.0)
    before = best.seconds < 7.0
    assert np.nanmean(best.agreement[0][plays]) > 3 * max(np.nanmean(best.agreement[0][before]), 0.3)
    assert np.nanmean(best.agreement[0][plays]) > 3 * np.nanmean(rival.agreement[0][plays])


def test_the_matrix_is_darkest_on_the_line(with_peaks: Shelf) -> None:
    [best, _] = traces(with_peaks, with_noise(cut(with_peaks.sounds[2], 3.0, 12.0), 10.0))
    rows, columns = best.similarity.shape
    seconds = best.start + (np.arange(rows) + 0.5) * best.step_seconds
    there = np.rint((seconds + 3.0 - best.reference_start) / best.step_seconds - 0.5).astype(int)
    inside = (there >= 0) & (there < columns)
    on_line = best.similarity[np.flatnonzero(inside), there[inside]]
    assert np.median(on_line) > np.quantile(best.similarity, 0.98)


def test_of_a_long_sound_the_part_around_the_best_passage_is_traced(
    with_peaks: Shelf, sounds: list[np.ndarray]
) -> None:
    talk = np.random.default_rng(1).normal(size=round(LONGEST_SECONDS * 8_000)) * 0.05
    best = traces(with_peaks, np.concatenate([talk, cut(with_peaks.sounds[2], 3.0, 10.0)]))[0]
    assert best.seconds[-1] - best.seconds[0] == pytest.approx(LONGEST_SECONDS, abs=0.2)
    assert best.seconds[-1] == pytest.approx(LONGEST_SECONDS + 10.0, abs=0.2)


def test_nothing_is_traced_where_nothing_is_known(with_peaks: Shelf) -> None:
    asked = with_peaks.asked(np.zeros(8 * 8_000))
    assert best_and_rival(with_peaks.matcher(), with_peaks.index, UNSURE, asked, [], []) == []
