"""A child process in which untrusted media is opened: FFmpeg has had memory errors, and will have more.

`Sandbox("module:function")` runs `function(file, request, report_seconds) -> dict` in a child with limits on memory,
processor time, open files and written files, and kills it when it takes too long; `report_seconds(heard)` gains it
time. The child gets the open file as a descriptor; the messages are those of wire.py, so it cannot run code here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

from earmark.errors import MediaError
from earmark.sandbox import wire

# One thread a child, since there are as many children as cores; and memory that is freed stays with the child (glibc):
# fetching it again for every file costs a third of a clip's time.
ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    **dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(1 << 28)),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take."""

    memory_bytes: int = 1 << 30  # address space more than the libraries map; FFmpeg allocates what headers declare
    least_seconds: float = 10.0  # wall time for any file
    seconds_a_second: float = 0.2  # wall time for each second of audio heard, where that is more
    most_seconds: float = 3_600.0  # wall time for the longest file
    files: int = 2_000  # files of one child, should a decoder leak (0.05 MB in 3,000 files as measured)


class Sandbox:
    """A child that runs one kind of task on one file at a time; started when needed, replaced when it died.

    Safe to use from several threads, which wait for one another.
    """

    def __init__(self, task: str, *, limits: Limits | None = None) -> None:
        self._task = task
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the child now, so that the first call need not wait for its imports."""
        with self._lock:
            self._ready()

    def call(self, file: BinaryIO, request: dict[str, Any]) -> dict[str, Any]:
        """Return what the task makes of an open file (one with a descriptor, read from where it stands).

        Raises MediaError as the task does; `decoder_crashed` when the child died, `timeout` when it took too long,
        `unreadable` for any other exception in it.
        """
        with self._lock:
            child = self._ready()
            try:
                answer = child.ask(file, request, self._limits)
            except BaseException:
                self._drop()  # whatever happened, the next file gets a child in a known state
                raise
            if child.asked >= self._limits.files:
                self._drop()
        return wire.result(answer)

    def close(self) -> None:
        """End the child, also in the middle of a call: its caller gets a MediaError, as do later ones."""
        self._closed = True
        child = self._child
        if child is not None:
            child.kill()
        with self._lock:
            self._drop()

    def _ready(self) -> _Child:
        if self._closed:
            raise _closed()
        if self._child is not None and not self._child.is_alive():
            self._drop()  # it ended between two files, as when memory ran out; the next file is not to blame
        if self._child is None:
            self._child = _Child(self._task, self._limits)
            if self._closed:  # while it started: `close` may have looked before there was anything to end
                self._drop()
                raise _closed()
        return self._child

    def _drop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.reap()
            self._child = None


class _Child:
    """The process, as the parent sees it."""

    def __init__(self, task: str, limits: Limits) -> None:
        self.asked = 0
        try:
            self._socket, theirs = socket.socketpair()
        except OSError as error:
            raise _not_started(error) from error
        with theirs:
            # The import path goes along, so that a task can be found wherever its module was imported from; without
            # -P, Python would look in the current folder first, where somebody's music may lie beside a module.
            arguments = [str(theirs.fileno()), task, str(limits.memory_bytes), os.pathsep.join(sys.path)]
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", "from earmark.sandbox.child import serve; serve()", *arguments],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.PIPE,  # nothing is written to it: that it closes tells the child to end
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **ENVIRONMENT},
                    start_new_session=True,  # Ctrl-C is the parent's to decide on
                )
            except OSError as error:
                self._socket.close()
                raise _not_started(error) from error

    def is_alive(self) -> bool:
        """Return whether the process runs still."""
        return self._process.poll() is None

    def ask(self, file: BinaryIO, request: dict[str, Any], limits: Limits) -> Any:
        """Send a file and a request, and return the child's last message."""
        self.asked += 1
        descriptor, framed = file.fileno(), wire.framed(request)  # an error here is no fault of the child
        deadline = time.monotonic() + limits.least_seconds
        latest = time.monotonic() + limits.most_seconds
        began, heard = time.monotonic(), 0.0
        if self.asked == 1:
            deadline += limits.least_seconds  # the imports, on a machine that is busy
        try:
            self._socket.settimeout(limits.least_seconds)
            socket.send_fds(self._socket, [b"f"], [descriptor])
            self._socket.sendall(framed)
            while True:
                message = wire.receive(self._socket, deadline=min(deadline, latest))
                if "seconds" not in message:
                    return message
                heard = max(heard, wire.seconds_in(message))
                deadline = max(deadline, began + limits.seconds_a_second * heard + limits.least_seconds)
        except TimeoutError:
            waited = time.monotonic() - began
            raise MediaError("timeout", f"no end after {waited:.0f} s; the file was given up", heard) from None
        except wire.BROKEN as error:
            raise MediaError(
                "decoder_crashed", f"the decoder ended without an answer ({self._ended(error)})", heard
            ) from error

    def kill(self) -> None:
        """End the process and whatever it started; a second call does nothing."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()

    def reap(self) -> None:
        """Wait for the killed process and close the connection."""
        self._process.wait()
        self._socket.close()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _ended(self, error: Exception) -> str:
        if isinstance(error, EOFError | OSError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(timeout=1.0)
                return signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return f"{type(error).__name__}: {error}"


def _not_started(error: OSError) -> MediaError:
    return MediaError("decoder_crashed", f"no process for the decoder could be started ({error}); end some others")


def _closed() -> MediaError:
    return MediaError("unreadable", "the sandbox was closed meanwhile; make another")
