"""Confidence is a probability that grows with the evidence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from earmark.match.confidence import THRESHOLD, Evidence, log_odds, probability
from hypothesis import given
from hypothesis import strategies as st

# Of development clips: a clean one, one in noise and a room at 0 dB, and a clip of music that was never indexed.
CLEAN = Evidence(matched=240.0, expected=22.0, z=50.0, rival_z=4.5, share=0.7, seconds=5.0)
NOISY = Evidence(matched=75.0, expected=25.0, z=12.0, rival_z=4.0, share=0.17, seconds=5.0)
UNKNOWN = Evidence(matched=40.0, expected=24.0, z=3.9, rival_z=3.7, share=0.05, seconds=5.0)


def confidence(evidence: Evidence) -> float:
    return probability(log_odds(evidence))


def test_a_clear_match_is_almost_certain_and_chance_is_not_accepted() -> None:
    assert confidence(CLEAN) > 0.999
    assert confidence(NOISY) > THRESHOLD
    assert confidence(UNKNOWN) < 0.05


def test_a_duplicate_in_the_catalog_does_not_undo_a_clear_match() -> None:
    assert confidence(replace(CLEAN, rival_z=CLEAN.z)) > THRESHOLD


def test_a_rival_makes_a_weak_match_less_sure() -> None:
    assert confidence(replace(NOISY, rival_z=11.0)) < confidence(NOISY)


@given(
    st.builds(
        Evidence,
        matched=st.floats(0, 1e5),
        expected=st.floats(0, 1e5),
        z=st.floats(-50, 500),
        rival_z=st.floats(-50, 500),
        share=st.floats(0, 1),
        seconds=st.floats(0, 1e5),
    )
)
def test_it_is_a_probability_for_any_evidence(evidence: Evidence) -> None:
    assert 0 <= confidence(evidence) <= 1


@pytest.mark.parametrize("odds", [-1e9, -30.0, 0.0, 30.0, 1e9])
def test_odds_of_any_size_have_a_probability(odds: float) -> None:
    assert 0 <= probability(odds) <= 1
    assert probability(0) == 0.5
