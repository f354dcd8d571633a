"""Codes that are learned with the vectors: by bits, and by codewords."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from earmark.errors import OptionError
from earmark.learn.objectives import make_objective

DIMENSIONS, PAIRS, STEPS = 8, 64, 60


def batch(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors around one place, and copies of them: unlearned codes would be very uneven."""
    generator = torch.Generator().manual_seed(number)
    anchors = torch.randn(PAIRS, DIMENSIONS, generator=generator) + torch.ones(DIMENSIONS)
    positives = anchors + 0.1 * torch.randn(PAIRS, DIMENSIONS, generator=generator)
    return functional.normalize(anchors, dim=1), functional.normalize(positives, dim=1)


def learned(name: str, **options):
    """The codes after some steps, in which the vectors stay as they are."""
    torch.manual_seed(0)
    objective = make_objective(name, **options)
    codes = objective.make_codes(DIMENSIONS)
    before = codes.state_dict() and {key: value.clone() for key, value in codes.state_dict().items()}
    optimiser = torch.optim.Adam(codes.parameters(), lr=0.05)
    for step in range(STEPS):
        anchors, positives = batch(step)
        optimiser.zero_grad()
        objective.loss(anchors, positives, torch.arange(PAIRS)).backward()
        optimiser.step()
        objective.after_step(step)
    return codes, before


def unevenness(codes, buckets: int) -> tuple[float, float]:
    """Largest bucket over the mean, and the share of copies that keep their code, of vectors not learned."""
    anchors, positives = (torch.cat(side) for side in zip(*(batch(1_000 + k) for k in range(8)), strict=True))
    with torch.no_grad():
        own, copies = codes(anchors)[0], codes(positives)[0]
    sizes = torch.bincount(own.long(), minlength=buckets)
    return float(sizes.max() / sizes.float().mean()), float((own == copies).float().mean())


@pytest.mark.parametrize(
    ("name", "options", "buckets"),
    [
        ("balanced", {"bits": 4, "group_bits": 2, "recent": 128}, 16),
        ("balanced", {"bits": 4, "group_bits": 4, "recent": 128}, 16),
        ("codebook", {"codewords": 16, "recent": 128}, 16),
    ],
)
def test_learned_buckets_are_about_equally_full_and_copies_keep_theirs(name, options, buckets):
    codes, before = learned(name, **options)
    after, kept = unevenness(codes, buckets)
    codes.load_state_dict(before)
    assert unevenness(codes, buckets)[0] > 3
    assert after < 2.5
    assert kept > 0.6


def test_bits_of_a_code_are_the_sides_of_its_planes_and_the_nearest_plane_is_the_most_uncertain():
    codes = make_objective("balanced", bits=4, group_bits=2).make_codes(DIMENSIONS)
    vectors, _ = batch(0)
    with torch.no_grad():
        own, uncertainty = codes(vectors)
        distances = vectors @ codes.planes.T - codes.offsets
    assert own.dtype == torch.int32
    assert torch.equal(own, ((distances > 0) * torch.tensor([1, 2, 4, 8])).sum(dim=1).int())
    assert torch.equal(uncertainty.argsort(dim=1), distances.abs().argsort(dim=1, descending=True))
    assert uncertainty.max() <= 0.5


def test_a_codeword_is_the_nearest_one_and_the_probabilities_sum_to_1():
    codes = make_objective("codebook", codewords=5).make_codes(DIMENSIONS)
    vectors, _ = batch(0)
    with torch.no_grad():
        own, uncertainty = codes(vectors)
        cosines = vectors @ functional.normalize(codes.directions, dim=1).T
    assert torch.equal(own, cosines.argmax(dim=1).int())
    assert torch.allclose(uncertainty, torch.softmax(cosines / 0.1, dim=1), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("balanced", {"bits": 25, "group_bits": 5}), ("balanced", {"bits": 16, "group_bits": 3}),
        ("balanced", {"code_temperature": 0}), ("balanced", {"temperature": 0}), ("codebook", {"codewords": 1}),
        ("codebook", {"recent": -1}), ("codebook", {"books": 2}),
    ],
)  # fmt: skip
def test_senseless_options_are_refused(name, options):
    with pytest.raises(OptionError, match="correct the recipe"):
        make_objective(name, **options)
