"""When sound was heard, whatever the network does: a simulated day, without waiting for it."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from earmark.streams.backoff import Backoff
from earmark.streams.timestamps import Timestamps

NOON = 1_700_000_000.0
DAY = 86_400


@pytest.mark.parametrize("error", [0.0, 50e-6, -50e-6])
@pytest.mark.parametrize("burst", [0.0, 20.0])
def test_over_a_day_times_stay_within_a_tenth_of_a_second(error: float, burst: float) -> None:
    """Blocks come up to two seconds late, the station's clock runs 50 millionths fast or slow, a burst comes first."""
    draw, timestamps = np.random.default_rng(3), Timestamps()
    worst = 0.0
    for second in range(1, DAY):
        true = NOON - burst + second * (1 + error)
        sent = max(true, NOON)
        timestamps.note(second, sent + float(draw.exponential(0.3)) % 2.0)
        if second > 120:
            worst = max(worst, abs(timestamps.utc_at(second) - true))
    assert worst < 0.1
    assert timestamps.drift_seconds == pytest.approx(DAY * error, abs=0.1)


def test_a_burst_is_older_than_the_connection() -> None:
    timestamps = Timestamps()
    for second in (1.0, 2.0, 3.0, 4.0):
        timestamps.note(second, NOON)
    timestamps.note(5.0, NOON + 1.0)
    assert timestamps.utc_at(0.0) == NOON - 4.0


def test_attempts_go_on_for_ever_ever_slower_up_to_a_minute_and_never_together() -> None:
    waits = [Backoff(Random(seed)).next_seconds() for seed in range(50)]
    assert len(set(waits)) == 50
    assert all(0.5 <= wait <= 1 for wait in waits)
    backoff = Backoff(Random(1))
    many = [backoff.next_seconds() for _ in range(1_000)]
    assert all(30 <= wait <= 60 for wait in many[6:])
    backoff.heard(5.0)
    assert backoff.next_seconds() >= 30
    backoff.heard(10.0)
    assert backoff.next_seconds() <= 1


def test_a_few_seconds_tell_what_is_heard_now_after_a_pause_too() -> None:
    timestamps = Timestamps(step_seconds=0.5, steps=10)
    for second, late in ((0.1, 0.3), (0.2, 0.05), (0.3, 0.2)):
        timestamps.note(second, NOON + second + late)
    assert timestamps.utc_at(2.0) == pytest.approx(NOON + 2.05)
    assert timestamps.second_at(NOON + 3.05) == pytest.approx(3.0)
    for number in range(100):  # a pause of ten seconds: what was quick before it says nothing any more
        timestamps.note(0.4 + number / 10, NOON + 10.4 + number / 10)
    assert timestamps.utc_at(0.0) == pytest.approx(NOON + 10.0)
