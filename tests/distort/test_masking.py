from __future__ import annotations

import numpy as np

from earmark.distort.masking import draw_spec_mask


def test_a_mask_is_a_stripe_of_bands_and_a_hole():
    for seed in range(20):
        mask = draw_spec_mask(64, 32, np.random.default_rng(seed))
        stripe = mask.all(axis=1)
        assert 1 <= np.count_nonzero(stripe) <= 5
        hole = mask[~stripe]
        assert 3 <= np.count_nonzero(hole.any(axis=0)) <= 16
        assert 0.01 < mask.mean() < 0.5


def test_a_mask_is_the_same_for_the_same_generator():
    one, other, another = (draw_spec_mask(64, 32, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, another)
