"""Queries and replies as short as can be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from earmark.evaluation.queries import Query
from earmark.evaluation.run import Reply
from earmark.evaluation.truth import Given


@pytest.fixture
def query() -> Callable[..., Query]:
    """query("a", 10) is 5 s of track a from its second 10 on; query(None, 0) is of nothing that is known."""

    def make(track: str | None, start: float, *, id: str = "1", condition: str = "clean", speed: float = 1.0) -> Query:
        return Query(id, condition, 5.0, track, start, speed, None, Path("clip.wav"))

    return make


@pytest.fixture
def reply() -> Callable[..., Reply]:
    """reply(("a", 10, 0.9)) has one candidate; 0.5 is the threshold."""

    def make(*candidates: tuple[str, float, float], id: str = "1") -> Reply:
        return Reply(id, tuple(Given(*one) for one in candidates), 0.5, "", 0.01)

    return make
