"""The line before the workers: bounded, and fair by the time that each caller's questions take."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from earmark.apps.server.problems import Problem

HALF_LIFE_SECONDS = 10.0  # seconds in which what a caller has used counts for half
ALIKE_SECONDS = 2.0  # seconds that any work is charged with: one slow question does not wait behind many quick ones
MOST_CALLERS = 1_000  # callers that are remembered; after them, those who wait for nothing are forgotten
RECENT_SECONDS = 10.0  # seconds for which a caller who asked keeps a worker free of all others' second questions
GUESSED_SECONDS = 0.2  # seconds of a question, before any was measured
SURE_PLACES = 2  # places in line for each worker, however long questions take
MEMORY = 0.9  # share of the mean time of a question that stays with each new one


@dataclass(slots=True)
class _Caller:
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    at_work: int = 0
    used: float = 0.0  # seconds of work, each counted less the longer it is ago
    seen: float = 0.0  # moment of the last charge
    asked: float = -math.inf  # moment of the last question

    def charge(self, seconds: float, now: float, *, is_alone: bool) -> None:
        debt = self.debt(now)
        self.used = max(debt, seconds) if is_alone else debt + seconds  # whoever is alone holds nobody up
        self.seen = now

    def debt(self, now: float) -> float:
        return self.used * math.exp2(-(now - self.seen) / HALF_LIFE_SECONDS)


class FairLine:
    """Lets so many work at once; of callers who wait, whoever used the least time comes first."""

    def __init__(self, workers: int, *, most: int, most_of_one: int, most_seconds: float = math.inf) -> None:
        self.workers, self.at_work, self.waiting = workers, 0, 0
        self._most, self._most_of_one, self._most_seconds = most, most_of_one, most_seconds
        self._callers: dict[str, _Caller] = {}
        self._mean = GUESSED_SECONDS

    @asynccontextmanager
    async def place(self, name: str) -> AsyncIterator[None]:
        """Wait for a worker and keep it inside; raises Problem at once when the line is full."""
        caller = self._callers.setdefault(name, _Caller())
        await self._take(name, caller)
        began = time.monotonic()
        try:
            yield
        finally:
            now = time.monotonic()
            self.at_work -= 1
            caller.at_work -= 1
            caller.charge(max(now - began, ALIKE_SECONDS), now, is_alone=not self._others_ask(caller, now))
            self._mean = MEMORY * self._mean + (1 - MEMORY) * (now - began)
            self._call_next(now)

    def refusal(self, name: str) -> Problem | None:
        """Return why a caller cannot stand in line now, before anything was read or decoded; None if it can."""
        caller = self._callers.get(name)
        wait = self._mean * (self.waiting + 1) / self.workers
        if caller is not None and len(caller.waiting) >= self._most_of_one:
            return Problem(429, "too_many_at_once", f"{len(caller.waiting)} of your questions wait; ask again when "
                           "some are answered", retry_after=wait)  # fmt: skip
        is_slow = self.waiting >= SURE_PLACES * self.workers and wait > self._most_seconds
        if self.waiting >= self._most or is_slow:
            return Problem(503, "busy", f"{self.waiting} questions wait; ask again later", retry_after=wait)
        return None

    async def _take(self, name: str, caller: _Caller) -> None:
        now = caller.asked = time.monotonic()
        if self.at_work < self.workers and not caller.waiting and self._may_begin(caller, now):
            self._begin(caller)
            return
        if refusal := self.refusal(name):
            raise refusal
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        caller.waiting.append(place)
        self.waiting += 1
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # a worker was just given to it
                self.at_work -= 1
                caller.at_work -= 1
                self._call_next(time.monotonic())
            elif place in caller.waiting:
                caller.waiting.remove(place)
                self.waiting -= 1
            raise

    def _begin(self, caller: _Caller) -> None:
        self.at_work += 1
        caller.at_work += 1

    def _may_begin(self, caller: _Caller, now: float) -> bool:
        """Return whether a caller may have one more worker: the last one is kept free while others ask too."""
        if caller.at_work < max(1, self.workers - 1):
            return True
        return not self._others_ask(caller, now)

    def _others_ask(self, caller: _Caller, now: float) -> bool:
        others = (one for one in self._callers.values() if one is not caller)
        return any(one.waiting or one.at_work or now - one.asked < RECENT_SECONDS for one in others)

    def _call_next(self, now: float) -> None:
        while self.at_work < self.workers and self.waiting:
            ready = [one for one in self._callers.values() if one.waiting and self._may_begin(one, now)]
            if not ready:
                break
            chosen = min(ready, key=lambda one: one.debt(now))
            place = chosen.waiting.popleft()
            self.waiting -= 1
            if not place.done():
                self._begin(chosen)
                place.set_result(None)
        if len(self._callers) > MOST_CALLERS:
            self._callers = {name: one for name, one in self._callers.items() if one.waiting or one.at_work}
