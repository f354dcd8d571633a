"""How long to wait before another attempt: twice as long each time up to a minute, with jitter, for ever."""

from __future__ import annotations

from random import Random

FIRST_SECONDS, MOST_SECONDS = 1.0, 60.0
LEAST_SHARE = 0.5  # of a wait that is kept of it; the rest is drawn, so that many clients do not come at once
PROOF_SECONDS = 10.0  # seconds of sound after which a connection counts as good


class Backoff:
    """The waits of one connection."""

    def __init__(self, chance: Random | None = None, *, first: float = FIRST_SECONDS) -> None:
        self._chance, self._first = chance or Random(), first
        self._wait = first

    def next_seconds(self) -> float:
        """Return how long to wait now."""
        wait, self._wait = self._wait, min(2 * self._wait, MOST_SECONDS)
        return wait * self._chance.uniform(LEAST_SHARE, 1.0)

    def heard(self, seconds: float) -> None:
        """Begin anew after a connection that gave so many seconds of sound."""
        if seconds >= PROOF_SECONDS:
            self._wait = self._first
