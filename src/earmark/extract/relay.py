"""Sound that is recorded elsewhere and sent as it comes, decoded in sandboxed children: one child a stream."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import Any, BinaryIO

import numpy as np

from earmark.audio.live import decode_live
from earmark.errors import MediaError
from earmark.sandbox.process import Sandbox

TASK = "earmark.extract.relay:decode"
RATE = 48_000  # Hz of what comes back, that of Opus
ENDING_SECONDS = 1.0  # seconds of the clock in which a child sees that its stream has ended
SAMPLE = np.dtype("<f4")  # what comes back: mono


def warm_up(settings: dict[str, Any]) -> None:
    """Load the decoders by using them once: later, nothing can be opened."""
    from earmark.audio.decode import load_decoders

    load_decoders()
    with contextlib.suppress(MediaError):
        list(decode_live(lambda _: b"", rate=RATE))


def decode(file: BinaryIO, request: dict[str, Any], report_seconds: Callable[[float], None]) -> dict[str, Any]:
    """Read a stream from a socket and write its samples back, until it ends; in the child."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=file.fileno()) as both:
        heard = reported = 0
        try:
            for block in decode_live(both.recv, rate=RATE):
                both.sendall(block.astype(SAMPLE, copy=False).tobytes())
                heard += len(block)
                if heard - reported >= RATE:
                    report_seconds(heard / RATE)
                    reported = heard
        finally:
            both.detach()
    return {"seconds": heard / RATE}


class LiveSound:
    """One stream on its way through a child: bytes go into `socket`, samples come out of it."""

    def __init__(self, sandbox: Sandbox, run: Callable[..., Future[Any]], done: Callable[[Sandbox], None]) -> None:
        self.socket, theirs = socket.socketpair()
        self._sandbox = sandbox
        self._outcome = run(self._call, theirs)
        self._outcome.add_done_callback(lambda _: done(sandbox))

    @property
    def problem(self) -> MediaError | None:
        """What ended it early; waits for the child to end."""
        error = self._outcome.exception()
        return error if isinstance(error, MediaError) else None

    def close(self) -> None:
        """Let go of the stream, whatever the child is at: one that does not see its end is ended."""
        self.socket.close()
        if wait([self._outcome], timeout=ENDING_SECONDS).not_done:
            self._sandbox.interrupt()

    def _call(self, theirs: socket.socket) -> None:
        with theirs, theirs.makefile("rb", buffering=0) as file:
            self._sandbox.call(file, {})  # type: ignore[arg-type]  # a raw file has a descriptor too


class LiveDecoders:
    """Children for streams, at most so many at once; they are kept from one stream to the next."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._idle: list[Sandbox] = []
        self._busy: set[Sandbox] = set()
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="earmark-live")

    def start(self) -> None:
        """Start one child now, so that the first stream need not wait for its imports."""
        sandbox = Sandbox(TASK)
        sandbox.start()
        self._idle.append(sandbox)

    def open(self) -> LiveSound | None:
        """Return a new stream, or None when all children are taken."""
        with self._lock:
            if len(self._busy) >= self._most:
                return None
            sandbox = self._idle.pop() if self._idle else Sandbox(TASK)
            self._busy.add(sandbox)
        try:
            return LiveSound(sandbox, self._threads.submit, self._give_back)
        except BaseException:
            self._give_back(sandbox)
            raise

    def close(self) -> None:
        """End all children."""
        with self._lock:
            every = [*self._idle, *self._busy]
        for sandbox in every:
            sandbox.close()
        self._threads.shutdown()

    def _give_back(self, sandbox: Sandbox) -> None:
        with self._lock:
            self._busy.discard(sandbox)
            self._idle.append(sandbox)
