"""The second screen's time ranges."""

from __future__ import annotations

from earmark.apps.server.cues import Cues
from earmark.types import TimeRange


def test_ranges_begin_and_end_at_their_time():
    cues = Cues()
    assert cues.load([TimeRange(1, 3, "a"), TimeRange(2, 4, {"b": 1})]) == []
    assert cues.at(0.5) == []
    assert cues.wait(0.5, 1.0) == 0.5
    assert cues.wait(1.0, 2.0) == 0.5
    assert [(one["type"], one["range"]["payload"]) for one in cues.at(2.0)] == [("enter", "a"), ("enter", {"b": 1})]
    assert [(one["type"], one["range"]["payload"]) for one in cues.at(3.0)] == [("exit", "a")]
    assert [one["type"] for one in cues.load([])] == ["exit"]
