"""The workers as the service sees them: at most so many, started when they are needed, replaced when they die."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from queue import LifoQueue

import msgspec

from earmark.apps.server.problems import Problem
from earmark.apps.server.worker import Opening, Question, Told, cancelled, raised
from earmark.extract.protocol import Cancellation
from earmark.sandbox import wire
from earmark.sandbox.process import ENVIRONMENT
from earmark.schema import prepared

log = logging.getLogger("earmark.server")

ATTEMPTS = 2  # workers that a question is given to, should they die of it
PROGRAM = "from earmark.apps.server.worker import serve; serve()"


class WorkerEnded(Exception):  # noqa: N818 - it never leaves this module
    """A worker ended without an answer."""


class WorkerPool:
    """Answers questions in processes of their own, so that each core works on one."""

    def __init__(self, opening: Opening, count: int, *, replaced: Callable[[], object]) -> None:
        """`replaced` is called for each worker that died."""
        self._workers = [Worker(opening) for _ in range(count)]
        self._replaced, self._closed = replaced, False
        self._idle: LifoQueue[Worker] = LifoQueue()  # the last that worked first: no more start than are needed
        for worker in self._workers:
            self._idle.put(worker)

    @property
    def processes(self) -> list[int]:
        """The numbers of the processes that there are now."""
        return [number for worker in self._workers if (number := worker.number) is not None]

    def warm_up(self, count: int) -> None:
        """Start so many workers, no more than it may have, and wait until they are ready; raises EarmarkError."""
        taken = [self._idle.get() for _ in range(min(count, len(self._workers)))]
        try:
            for begin in (Worker.start, Worker.wait):
                for worker in taken:
                    with contextlib.suppress(WorkerEnded):  # a question will start another
                        begin(worker)
        finally:
            for worker in taken:
                self._idle.put(worker)

    def told(self, question: Question, cancellation: Cancellation) -> Told:
        """Return a worker's answer; raises EarmarkError as it does, and Problem when each that was asked died."""
        worker, how = self._idle.get(), ""
        try:
            for _ in range(ATTEMPTS):
                try:
                    return raised(worker.ask(question, cancellation))
                except WorkerEnded as error:
                    self._check_open(error)
                    how = str(error)
                    self._replaced()
                    log.error("a worker ended", extra={"fields": {"detail": how}})
        finally:
            self._idle.put(worker)
        raise Problem(500, "worker_ended", f"each process that was to answer it ended ({how}); ask for less at once")

    def close(self) -> None:
        """End all workers, also those at work."""
        self._closed = True
        for worker in self._workers:
            worker.close()

    def _check_open(self, error: WorkerEnded) -> None:
        if self._closed:
            raise Problem(503, "ending", "the service ends; ask again later", retry_after=5) from error


class Worker:
    """One process, for one caller at a time; one that ended between two questions is replaced unnoticed."""

    def __init__(self, opening: Opening) -> None:
        self._opening = wire.framed(opening)
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._is_ready, self._closed = False, False
        self._lock, self._sending = threading.Lock(), threading.Lock()

    @property
    def number(self) -> int | None:
        """The number of its process, as long as that runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the process, in place of one that has ended; raises WorkerEnded."""
        with self._lock:
            if self._closed:
                raise WorkerEnded("it was closed")
            if self.number is not None:
                return
            self._end()
            try:
                ours, theirs = socket.socketpair()
            except OSError as error:
                raise WorkerEnded(f"it could not be started: {error}") from error
            self._connection = ours
            with theirs:
                try:
                    self._process = subprocess.Popen(
                        [sys.executable, "-PBs", "-c", PROGRAM, str(theirs.fileno())],
                        pass_fds=[theirs.fileno()],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **ENVIRONMENT},
                        start_new_session=True,  # Ctrl-C is the service's to decide on
                    )
                except OSError as error:
                    raise WorkerEnded(f"it could not be started: {error}") from error
            self._is_ready = False
        with self._broken():
            ours.sendall(self._opening)

    def wait(self) -> None:
        """Wait until it is ready; raises WorkerEnded, and EarmarkError for a catalog that cannot be opened."""
        if self._is_ready:
            return
        with self._broken():
            told = self._told()
        try:
            raised(told)
        except Exception:
            self._end()
            raise
        self._is_ready = True

    def ask(self, question: Question, cancellation: Cancellation) -> Told:
        """Return what it tells, its error included; raises WorkerEnded, and MediaError when nobody waits any more."""
        self.start()
        self.wait()
        message = wire.framed(question)
        with cancellation.ending(self._cancel), self._broken():
            self._send(message)
            if cancellation.is_cancelled:  # that may have been sent before the question
                self._cancel()
            return self._told()

    def close(self) -> None:
        """End the process; whoever waits for it gets a WorkerEnded."""
        with self._lock:
            self._closed = True
            process, connection = self._process, self._connection  # whoever waits may end them meanwhile
            if process is not None:
                process.kill()
                process.wait()
            if connection is not None:
                connection.close()

    def _cancel(self) -> None:
        with contextlib.suppress(OSError):
            self._send(cancelled())

    def _send(self, message: bytes) -> None:
        assert self._connection is not None
        with self._sending:
            self._connection.sendall(message)

    def _told(self) -> Told:
        assert self._connection is not None
        return msgspec.convert(wire.receive(self._connection), prepared(Told))

    @contextlib.contextmanager
    def _broken(self) -> Iterator[None]:
        """Raise WorkerEnded for a connection that breaks; whatever is left of the process is ended."""
        try:
            yield
        except wire.BROKEN as error:
            raise WorkerEnded(self._end() or type(error).__name__) from error

    def _end(self) -> str:
        """End the process, and return how it ended by itself, nothing where it did not."""
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
        if process is None:
            return ""
        try:
            code = process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return ""
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"
