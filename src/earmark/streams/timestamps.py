"""When sound was heard: its samples tell time, and the clock on the wall where that begins.

What arrives is late by some delay, never early. So the least of (arrival - samples so far) over some minutes is when
the sound began, as in NTP's clock filter (RFC 5905, 10): a burst after connecting and a hesitating network do not move
it, and a station's sample clock that runs a little fast or slow is followed.
"""

from __future__ import annotations

from collections import deque

STEP_SECONDS = 20.0  # of sound of which one least value is kept
STEPS = 15  # least values that are kept: five minutes


class Timestamps:
    """Seconds of sound as UTC, or by whatever clock `arrived` is told, of sound without a gap."""

    def __init__(self, *, step_seconds: float = STEP_SECONDS, steps: int = STEPS) -> None:
        """`steps` times `step_seconds` of sound tell when it began."""
        self._step, self._steps = step_seconds, steps
        self._least = deque[tuple[float, float]](maxlen=steps)  # (second of sound, arrival less that)
        self._first: float | None = None
        self._anchor = 0.0

    def note(self, second: float, arrived: float) -> None:
        """Take note that the sound up to `second` was here at `arrived`."""
        origin = arrived - second
        if self._least and second - self._least[-1][0] < self._step:
            begun, least = self._least[-1]
            self._least[-1] = begun, min(least, origin)
        else:
            self._least.append((second, origin))
        self._anchor = min(least for _, least in self._least)
        if (
            self._first is None or second < self._step * self._steps
        ):  # until all of them are there, it only becomes surer
            self._first = self._anchor

    def utc_at(self, second: float) -> float:
        """Return when a second of the sound was heard."""
        return self._anchor + second

    def second_at(self, utc: float) -> float:
        """Return the second of the sound that was heard at a moment."""
        return utc - self._anchor

    @property
    def drift_seconds(self) -> float:
        """How far the sound's clock is behind the wall's since the sound began."""
        return 0.0 if self._first is None else self._anchor - self._first
