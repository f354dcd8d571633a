"""Listening: sound that arrives in blocks, looked up every second until it is sure what it is."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Self

from earmark.catalog.identify import Identify, Unavailable, without_unavailable
from earmark.errors import OptionError
from earmark.extract.protocol import Extracted
from earmark.extract.stream import ExtractionStream
from earmark.match.protocol import Options
from earmark.types import Answer

LOOK_SECONDS = 1.0  # seconds of new sound from one look to the next


class Listener:
    """What a catalog makes of a stream, through the code that identifies a file. `Catalog.listen` makes one.

    A stream is looked at in the windows of a file; at its end it has the answer that a file of it has.
    """

    def __init__(self, identify: Identify, *, rate: int, options: Options, is_close: bool = True) -> None:
        """Sound that is not looked at closely is looked at as a long file is: closely where there is doubt."""
        self._identify, self._session = identify, identify.session(options, follow=True)
        self._sound = ExtractionStream(identify.fingerprinter, rate, is_close=is_close)
        self._closer = None if is_close else self._sound.parts
        self._looked = 0.0  # second of the last look
        self._began = time.perf_counter()
        self._answer: Answer | None = None
        self._is_finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End; nothing has to be freed."""

    @property
    def seconds(self) -> float:
        """How much sound was pushed."""
        return self._sound.seconds

    def found(self) -> Answer:
        """Return all that was found so far, as of the last look, whether or not it is heard now."""
        return self._identify.heard(self._session, self._session.passages(), self._began)

    @property
    def answer(self) -> Answer | None:
        """What is heard now, as of the last look; None as long as nothing is sure."""
        return self._answer

    def is_due(self, seconds: float) -> bool:
        """Return whether `push` would look after so much more sound."""
        return self.seconds + seconds - self._looked >= LOOK_SECONDS

    def push(self, samples: Any) -> Answer | None:
        """Take the next samples, (n,) or (n, channels), and return `answer`; raises OptionError for other arrays."""
        self._check_open()
        self._sound.push(samples)
        if self.is_due(0.0):
            self._look(final=False)
            playing = self._session.playing()
            self._answer = self._identify.heard(self._session, playing, self._began) if playing else None
        return self._answer

    def finish(self) -> Answer:
        """Say that the sound has ended, and return all that it comes from; without matches if nothing is sure."""
        self._check_open()
        self._sound.end()
        extracted = self._look(final=True)
        self._is_finished = True
        passages, reason = self._session.passages(), self._identify.unfit(extracted)
        self._answer = self._identify.heard(self._session, passages, self._began, reason=reason)
        return self._answer

    def _look(self, *, final: bool) -> Extracted:
        """Match what has not been settled."""
        self._looked = self.seconds
        extracted = self._sound.take(since_seconds=self._session.since)
        hear = partial(self._session.hear, extracted.fingerprint, final=final, closer=self._closer)
        without_unavailable(hear, self._leave_out)
        without_unavailable(self._session.passages, self._leave_out)
        return extracted

    def _leave_out(self, unavailable: Unavailable) -> None:
        self._identify.leave_out(unavailable, self._session)

    def _check_open(self) -> None:
        if self._is_finished:
            raise OptionError("the sound was said to have ended; listen again for another one")
