"""Places for what lasts: so many at once, and so many of one caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from earmark.apps.server.problems import Problem

WAIT_SECONDS = 10  # seconds after which to try again


class Places:
    """Counts who has how many."""

    def __init__(self, what: str, most: int, most_of_one: int) -> None:
        self._what, self._most, self._most_of_one = what, most, most_of_one
        self.taken: dict[str, int] = {}  # by caller

    @contextmanager
    def take(self, caller: str) -> Iterator[None]:
        """Keep one more place for a caller inside; raises Problem when they have too many, or all are taken."""
        own = self.taken.get(caller, 0)
        if own >= self._most_of_one:
            detail = f"you have {own} {self._what}; end one first"
            raise Problem(429, "too_many_streams", detail, retry_after=WAIT_SECONDS)
        if sum(self.taken.values()) >= self._most:
            raise Problem(503, "busy", f"all {self._what} are taken; try again later", retry_after=WAIT_SECONDS)
        self.taken[caller] = own + 1
        try:
            yield
        finally:
            self.taken[caller] -= 1
            if not self.taken[caller]:
                del self.taken[caller]
