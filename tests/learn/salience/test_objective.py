from __future__ import annotations

import numpy as np
import pytest
import torch

from earmark.learn.salience.objective import (
    CELL_WEIGHT,
    EXCLUDED_SCORE,
    LEAST_VARIANCE,
    SalienceObjective,
    counted,
    marked,
)
from earmark.learn.salience.references import NOTHING

FRAMES, BINS = 8, 16


def windows(*cells):
    """Windows of such (frame, bin)."""
    made = np.full((len(cells), max(map(len, cells)) + 2), NOTHING, np.int64)
    for row, own in enumerate(cells):
        made[row, : len(own)] = [frame * BINS + one for frame, one in own]
    return torch.from_numpy(made)


@pytest.fixture(scope="module")
def peaks():
    generator = np.random.default_rng(4)
    return [list({(int(f), int(b)) for f, b in generator.integers((1, 0), (6, BINS), (10, 2))}) for _ in range(7)]


@pytest.fixture(scope="module")
def logits():
    return torch.from_numpy(np.random.default_rng(5).normal(-3, 2, (2, FRAMES, BINS)).astype(np.float32))


def test_marks_and_counts_are_those_of_the_peaks():
    made = windows([(0, 3), (2, 3), (7, 15)], [])
    assert torch.nonzero(marked(made, FRAMES * BINS)).tolist() == [[0, 3], [0, 35], [0, 127]]
    counts = counted(made, BINS)
    assert counts[0].tolist() == [0, 0, 0, 2, *[0] * 11, 1]
    assert counts[1].sum() == 0


def test_the_loss_is_what_the_formulas_say(logits, peaks):
    """Worked out place by place in float64; the sums of the real one are of bfloat16."""
    objective = SalienceObjective(FRAMES - 1)
    loss, _ = objective(logits, windows(*peaks))
    salience = np.log1p(np.exp(logits.numpy().astype(np.float64) + 4.0))
    spread = salience + salience[:, [0, *range(FRAMES - 1)]] + salience[:, [*range(1, FRAMES), FRAMES - 1]]
    heard = spread[:, : FRAMES - 1]
    scores = np.zeros((2, len(peaks)))
    for clip in range(2):
        for place, own in enumerate(peaks):
            sums = sum(spread[clip, frame, one] - heard[clip, :, one].mean() for frame, one in own)
            variance = sum(heard[clip, :, one].var(ddof=1) for _, one in own)
            scores[clip, place] = 0.8 * sums / np.sqrt(variance + LEAST_VARIANCE)
    scores[[0, 1], [2, 3]] = 0.8 * EXCLUDED_SCORE
    telling = np.mean(np.log(np.exp(scores).sum(axis=1)) - scores[[0, 1], [0, 1]])
    own = marked(windows(*peaks[:2]), FRAMES * BINS).float().numpy().reshape(logits.shape)
    every = np.mean(np.log1p(np.exp(logits.numpy())) - own * logits.numpy())
    assert float(loss.detach()) == pytest.approx(telling + CELL_WEIGHT * every, rel=0.01)


def test_a_salience_map_that_has_the_peaks_tells_the_places_apart(peaks):
    made = windows(*peaks)
    right = marked(made[:2], FRAMES * BINS).float().reshape(2, FRAMES, BINS) * 12 - 8
    objective = SalienceObjective(FRAMES)
    assert objective(right, made)[1] == 1
    assert objective(right.flip(0), made)[1] == 0
    assert objective(right, made)[0] < 0.5 * objective(right.flip(0), made)[0]


def test_another_place_of_the_same_track_is_not_counted_against_a_clip(peaks):
    """Music repeats itself: there the other place has the same peaks."""
    repeated = windows(*peaks[:2], *peaks[:2], *peaks[4:])
    right = marked(repeated[:2], FRAMES * BINS).float().reshape(2, FRAMES, BINS) * 12 - 8
    loss, hit_rate = SalienceObjective(FRAMES)(right, repeated)
    assert hit_rate == 1
    assert loss < SalienceObjective(FRAMES)(right, windows(*peaks[:2], *peaks[2:4], *peaks[:2]))[0]


def test_a_column_that_is_loud_all_along_says_nothing(peaks):
    made = windows(*peaks)
    quiet = torch.full((2, FRAMES, BINS), -8.0)
    held = quiet.clone()
    held[:, :, 3] = 6.0
    objective = SalienceObjective(FRAMES)
    own = marked(made[:2], FRAMES * BINS).float().reshape(2, FRAMES, BINS)
    telling = []
    for logits in (quiet, held):
        every = torch.nn.functional.binary_cross_entropy_with_logits(logits, own)
        telling.append(float(objective(logits, made)[0].detach() - CELL_WEIGHT * every))
    assert telling[0] == pytest.approx(telling[1], abs=1e-3)


def test_offset_and_scale_learn_too(logits, peaks):
    objective = SalienceObjective(FRAMES)
    objective(logits, windows(*peaks))[0].backward()
    assert all(parameter.grad is not None and parameter.grad != 0 for parameter in objective.parameters())
