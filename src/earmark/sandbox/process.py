"""A child process in which untrusted media is opened: FFmpeg has had memory errors, and will have more.

`Sandbox("module:function")` runs `function(file, request, report_seconds) -> dict` in a child that has given up every
right but to read the open file that it is sent, where the kernel can hold it to that, and that has limits on memory,
processor time and open files; `report_seconds(heard)` gains it time. Before it gives up its rights, the module's
`warm_up(settings)` loads what is needed. The messages are those of wire.py, so it cannot run code here.
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
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

from earmark.errors import MediaError
from earmark.sandbox import wire

# All that a child has of an environment, besides what its libraries need to be found. One thread a child, since there
# are as many children as cores; and memory that is freed stays with the child (glibc): fetching it again for every file
# costs a third of a clip's time.
ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    **dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(1 << 28)),
    "ORT_DISABLE_TELEMETRY": "1",
}
INHERITED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "OPENBLAS_CORETYPE")
START_SECONDS = 60.0  # processor time for the imports and networks of a child, thirty times what they take
SHORTEST_WAIT = 0.01  # seconds from one look at a child that works to the next


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take. Time is that of its processor, so that a busy machine makes no file fail."""

    memory_bytes: int = 1 << 30  # address space more than the libraries map; FFmpeg allocates what headers declare
    least_seconds: float = 10.0  # processor time that any file may take
    seconds_a_second: float = 0.2  # processor time for each second of audio heard, where that is more
    most_seconds: float = 3_600.0  # processor time that the longest file may take
    blocked_seconds: float = 120.0  # seconds by the clock in which a child that waits for a disk or a lock uses no time
    files: int = 2_000  # files of one child, should a decoder leak (0.05 MB in 3,000 files as measured)


class Sandbox:
    """A child that runs one kind of task on one file at a time; started when needed, replaced when it died.

    Safe to use from several threads, which wait for one another.
    """

    def __init__(self, task: str, *, settings: Mapping[str, Any] | None = None, limits: Limits | None = None) -> None:
        """`settings`: what the module's `warm_up` gets."""
        self._task, self._settings = task, dict(settings or {})
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._streaming = set[_Child]()  # children in the middle of a stream
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the child now, so that the first call need not wait for its imports."""
        with self._lock:
            self._ready()

    def held_by(self) -> tuple[str, ...]:
        """Return what of the kernel holds the child to its rights; nothing where limits alone bound it."""
        with self._lock:
            child = self._ready()
            try:
                return child.held_by()
            except BaseException:
                self._drop()
                raise

    def call(self, file: BinaryIO, request: dict[str, Any]) -> dict[str, Any]:
        """Return what the task makes of an open file (one with a descriptor, read from where it stands).

        Raises MediaError as the task does; `decoder_crashed` when the child died, `timeout` when it took too long,
        `unreadable` for any other exception in it.
        """
        with self._lock:
            child = self._ready()
            try:
                answer = child.ask(file, request)
            except BaseException:
                self._drop()  # whatever happened, the next file gets a child in a known state
                raise
            if child.asked >= self._limits.files:
                self._drop()
        return wire.result(answer)

    def interrupt(self) -> None:
        """End the child in the middle of a call, whose caller gets a MediaError; the next call starts another child."""
        child = self._child
        if child is not None:
            child.kill()

    def stream(self, file: BinaryIO, request: dict[str, Any]) -> Generator[dict[str, Any], None, None]:
        """Yield what the task yields of an open file, as it comes; raises as `call` does.

        The file may be the end of a pipe that others write to. A caller that leaves off ends the child.
        """
        with self._lock:  # not longer: who asks for a stream may leave it for any time
            child, self._child = self._ready(), None
            self._streaming.add(child)
        is_finished = False
        try:
            answer = yield from child.parts(file, request)
            is_finished = True
        finally:
            with self._lock:
                self._streaming.discard(child)
                if is_finished and self._child is None and not self._closed and child.asked < self._limits.files:
                    self._child = child
                else:
                    child.kill()
                    child.reap()
        wire.result(answer)

    def close(self) -> None:
        """End the child, also in the middle of a call: its caller gets a MediaError, as do later ones."""
        self._closed = True
        for child in (self._child, *self._streaming):
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
            self._child = _Child(self._task, self._settings, self._limits)
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

    def __init__(self, task: str, settings: Mapping[str, Any], limits: Limits) -> None:
        self.asked = 0
        self._limits = limits
        self._held_by: tuple[str, ...] | None = None
        described = wire.framed(settings)
        try:
            self._socket, theirs = socket.socketpair()
        except OSError as error:
            raise _not_started(error) from error
        with theirs:
            # The import path goes along, so that a task can be found wherever its module was imported from; without
            # -P, Python would look in the current folder first, where somebody's music may lie beside a module.
            arguments = [str(theirs.fileno()), task, str(limits.memory_bytes), os.pathsep.join(sys.path)]
            inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-PBs", "-c", "from earmark.sandbox.child import serve; serve()", *arguments],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.PIPE,  # nothing is written to it: that it closes tells the child to end
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**inherited, "PYTHONPATH": os.pathsep.join(sys.path), **ENVIRONMENT},
                    start_new_session=True,  # Ctrl-C is the parent's to decide on
                )
            except OSError as error:
                self._socket.close()
                raise _not_started(error) from error
        self._send(described)

    def is_alive(self) -> bool:
        """Return whether the process runs still."""
        return self._process.poll() is None

    def held_by(self) -> tuple[str, ...]:
        """Wait until the child is ready, and return what holds it; raises what made it fail."""
        if self._held_by is None:
            answer = wire.result(self._last_message(_Patience(self._process.pid, self._limits, START_SECONDS)))
            self._held_by = tuple(map(str, answer.get("held_by", ())))
        return self._held_by

    def ask(self, file: BinaryIO, request: dict[str, Any]) -> Any:
        """Send a file and a request, and return the child's last message."""
        return self._last_message(self._begin(file, request))

    def parts(self, file: BinaryIO, request: dict[str, Any]) -> Generator[dict[str, Any], None, Any]:
        """Send a file and a request, yield the parts of the answer, and return the child's last message."""
        patience = self._begin(file, request)
        while True:
            message = self._next_message(patience)
            if "part" not in message:
                return message
            yield message["part"]

    def _begin(self, file: BinaryIO, request: dict[str, Any]) -> _Patience:
        self.asked += 1
        descriptor, framed = file.fileno(), wire.framed(request)  # an error here is no fault of the child
        self.held_by()
        patience = _Patience(self._process.pid, self._limits, self._limits.least_seconds)
        self._send(framed, descriptor)
        return patience

    def _send(self, framed: bytes, *descriptors: int) -> None:
        self._socket.settimeout(self._limits.blocked_seconds)
        with contextlib.suppress(*wire.BROKEN):  # a child that ended: the answer that does not come says so
            if descriptors:
                socket.send_fds(self._socket, [b"f"], descriptors)
            self._socket.sendall(framed)

    def _last_message(self, patience: _Patience) -> Any:
        while "seconds" in (message := self._next_message(patience)):
            pass
        return message

    def _next_message(self, patience: _Patience) -> dict[str, Any]:
        try:
            message = wire.receive(self._socket, patience=patience)
            heard = message.get("part", message)
            if "seconds" in heard:
                patience.hear(wire.seconds_in(heard))
            return message
        except TimeoutError as error:
            raise MediaError("timeout", f"{error}; the file was given up", patience.heard) from None
        except wire.BROKEN as error:
            detail = f"the decoder ended without an answer ({self._ended(error)})"
            raise MediaError("decoder_crashed", detail, patience.heard) from error

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


class _Patience:
    """How long a child is waited for: until it has used its processor time, or used none for long."""

    def __init__(self, process: int, limits: Limits, allowed: float) -> None:
        self.heard = 0.0
        self._process, self._limits, self._allowed = process, limits, allowed
        self._began = self._used = processor_seconds(process)
        self._active = time.monotonic()

    def hear(self, seconds: float) -> None:
        """Take note of how much audio the child has heard, by which it gains time."""
        limits = self._limits
        self.heard = max(self.heard, seconds)
        allowed = limits.least_seconds + limits.seconds_a_second * self.heard
        self._allowed = max(self._allowed, min(allowed, limits.most_seconds))
        self._active = time.monotonic()

    def __call__(self) -> float:
        """Return after how many seconds to look again; raises TimeoutError when the child has to be given up."""
        now, used = time.monotonic(), processor_seconds(self._process)
        if used > self._used:
            self._used, self._active = used, now
        left = self._allowed - (used - self._began)
        if left <= 0:
            raise TimeoutError(f"no end after {used - self._began:.0f} s of processor time")
        waited = now - self._active
        if waited > self._limits.blocked_seconds:
            raise TimeoutError(f"nothing happened for {waited:.0f} s")
        return max(min(left, self._limits.blocked_seconds - waited), SHORTEST_WAIT)


def processor_seconds(process: int) -> float:
    """Return the processor time that a child has used, in seconds; 0 where that cannot be seen.

    Elsewhere than on Linux the child's own limit ends it, after `child.MAX_PROCESSOR_SECONDS`.
    """
    if sys.platform != "linux":
        return 0.0
    try:
        return time.clock_gettime((~process << 3) | 2)  # the clock of a process: CPUCLOCK_SCHED of posix-timers.h
    except OSError:  # it has ended
        return 0.0


def _not_started(error: OSError) -> MediaError:
    return MediaError("decoder_crashed", f"no process for the decoder could be started ({error}); end some others")


def _closed() -> MediaError:
    return MediaError("unreadable", "the sandbox was closed meanwhile; make another")
