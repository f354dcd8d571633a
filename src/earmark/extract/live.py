"""The samples of sound that is followed: decoded in a child of its own, handed on as they come."""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import Callable, Generator
from contextlib import closing
from threading import Lock, Timer
from typing import Any, BinaryIO

import numpy as np

from earmark.errors import MediaError
from earmark.extract.live_task import TASK
from earmark.sandbox.process import Limits, Sandbox
from earmark.types import Samples

# Of a source that reconnects: a decoder that takes bytes and gives nothing for a minute is given up.
CONNECTION_LIMITS = Limits(blocked_seconds=60.0)
PIPE_LIMITS = Limits(blocked_seconds=10 * 365 * 86_400.0)  # whoever writes into a pipe may be silent for years
ENDING_SECONDS = 1.0  # seconds of the clock in which a child sees that its stream has ended


class LiveDecoder:
    """Decodes one file or pipe after another in one child; `close` ends it, also in the middle of one."""

    def __init__(self, limits: Limits = CONNECTION_LIMITS) -> None:
        self._sandbox = Sandbox(TASK, limits=limits)
        self.declared_seconds: float | None = None  # how long the present file says it is
        self.is_closed = False

    def start(self) -> None:
        """Start the child now, so that the first stream need not wait for its imports."""
        self._sandbox.start()

    def close(self) -> None:
        """End the child; a caller that waits for samples gets a MediaError."""
        self.is_closed = True
        self._sandbox.close()

    def samples(self, file: BinaryIO, *, rate: int) -> Generator[Samples, None, None]:
        """Yield mono float32 blocks, (n,), at `rate` Hz, of a file with a descriptor; raises MediaError."""
        self.declared_seconds = None
        with closing(self._sandbox.stream(file, {"rate": rate})) as parts:
            for part in parts:
                if "pcm" in part:
                    yield _checked(part["pcm"])
                else:
                    self.declared_seconds = _declared(part.get("declared"))


class SentSound:
    """One stream that is sent as it is recorded: bytes go into `socket`, and blocks come out of `next_block`."""

    def __init__(self, decoder: LiveDecoder, *, rate: int, done: Callable[[LiveDecoder], object]) -> None:
        """`done` gets the decoder when the stream is over."""
        self.socket, self._theirs = socket.socketpair()
        self._decoder, self._done, self._lock = decoder, done, Lock()
        self._blocks = decoder.samples(self._theirs, rate=rate)  # type: ignore[arg-type]  # it has a descriptor

    def next_block(self) -> Samples | None:
        """Return the next samples, (n,), waiting for them; None at the end. Raises MediaError."""
        with self._lock:
            return next(self._blocks, None)

    def close(self) -> None:
        """Let go of the stream, whatever the child is at: one that does not see its end is ended."""
        self.socket.close()
        late = Timer(ENDING_SECONDS, self._decoder.close)
        late.start()
        with self._lock, self._theirs, contextlib.suppress(MediaError):
            for _ in self._blocks:
                pass
        late.cancel()
        self._done(self._decoder)


class LiveDecoders:
    """Decoders for streams that are sent, at most so many at once; they are kept from one stream to the next."""

    def __init__(self, most: int) -> None:
        self._most, self._lock, self._busy = most, Lock(), 0
        self._idle = list[LiveDecoder]()
        self._every = set[LiveDecoder]()

    def start(self) -> None:
        """Start one child now."""
        decoder = LiveDecoder(Limits())
        decoder.start()
        with self._lock:
            self._idle.append(decoder)
            self._every.add(decoder)

    def open(self, *, rate: int) -> SentSound | None:
        """Return a new stream of samples at `rate` Hz, or None when all decoders are taken."""
        with self._lock:
            if self._busy >= self._most:
                return None
            self._busy += 1
            decoder = self._idle.pop() if self._idle else LiveDecoder(Limits())
            self._every.add(decoder)
        return SentSound(decoder, rate=rate, done=self._give_back)

    def close(self) -> None:
        """End all children."""
        with self._lock:
            every = list(self._every)
        for decoder in every:
            decoder.close()

    def _give_back(self, decoder: LiveDecoder) -> None:
        with self._lock:
            self._busy -= 1
            if decoder.is_closed:
                self._every.discard(decoder)
            else:
                self._idle.append(decoder)


def _checked(pcm: Any) -> Samples:
    """Return samples that a child sent; a compromised one can send anything."""
    if not isinstance(pcm, bytes) or len(pcm) % 4:
        raise MediaError("decoder_crashed", "the decoder sent something else than samples")
    samples = np.frombuffer(pcm, np.float32)
    if not np.isfinite(samples).all():
        raise MediaError("decoder_crashed", "the decoder sent samples that are not finite")
    return samples


def _declared(seconds: Any) -> float | None:
    return float(seconds) if isinstance(seconds, int | float) and math.isfinite(seconds) and seconds > 0 else None
