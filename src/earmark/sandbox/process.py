"""A child process in which untrusted media is opened: FFmpeg has had memory errors, and will have more.

`Sandbox("module:function")` runs `function(file, request, heard) -> dict` in a child that has limits on memory,
processor time, open files and written files, and is killed when it takes too long; `heard(seconds)` says how much audio
has been read, and gains it time. The open file goes to the child as a descriptor; requests and answers are msgpack,
never pickle: whoever takes over the child cannot run code in the parent.

A message is four bytes of length, little-endian, then msgpack. The child answers {"done": {...}} or
{"error": [kind, ...]}; while it works it may send {"seconds": heard}, which gives it more time.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import math
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgspec

from earmark.errors import EarmarkError, MediaError, OptionError, SpecMismatch

Task = Callable[[BinaryIO, dict[str, Any], Callable[[float], None]], dict[str, Any]]

LARGEST_MESSAGE = 1 << 28  # bytes: a packed fingerprint of weeks
_LENGTH = struct.Struct("<I")
_FILES_OF_A_CHILD = 16
_PROCESSOR_SECONDS = 3_600  # for one file: some days of audio
_LONGEST_TEXT = 500  # characters of what the child says went wrong
# What a broken connection or a message of another form raises here; one that is nested too deeply is a RecursionError.
_BROKEN = (OSError, EOFError, ValueError, TypeError, LookupError, RecursionError, msgspec.MsgspecError)
_ERRORS: dict[str, type[EarmarkError]] = {kind.__name__: kind for kind in (OptionError, SpecMismatch)}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take."""

    memory_bytes: int = (
        1 << 30
    )  # of address space, beyond what the libraries map; FFmpeg allocates what headers declare
    least_seconds: float = 10.0  # of wall time for a file
    seconds_a_second: float = 0.2  # of wall time for each second of audio heard, where that is more
    most_seconds: float = 3_600.0
    files: int = 2_000  # after which a child is replaced, should a decoder leak (0.05 MB in 3,000 files as measured)


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
        return _result(answer)

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
            raise MediaError("unreadable", "the sandbox was closed meanwhile; make another")
        if self._child is not None and not self._child.is_alive():
            self._drop()  # it ended between two files, as when memory ran out; the next file is not to blame
        if self._child is None:
            self._child = _Child(self._task, self._limits)
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
                    [sys.executable, "-P", "-c", "from earmark.sandbox.process import serve; serve()", *arguments],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.PIPE,  # nothing is written to it: that it closes tells the child to end
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **_ONE_THREAD, **_KEPT_MEMORY},
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
        descriptor, framed = file.fileno(), _framed(request)  # what is wrong here is no fault of the child
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
                message = self._receive(min(deadline, latest))
                if "seconds" not in message:
                    return message
                heard = max(heard, _finite(message["seconds"]))
                deadline = max(deadline, began + limits.seconds_a_second * heard + limits.least_seconds)
        except TimeoutError:
            waited = time.monotonic() - began
            raise MediaError("timeout", f"no end after {waited:.0f} s; the file was given up", heard) from None
        except _BROKEN as error:
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

    def _receive(self, deadline: float) -> dict[str, Any]:
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size, deadline))
        if length > LARGEST_MESSAGE:
            raise ValueError(f"a message of {length} bytes")
        message = msgspec.msgpack.decode(self._exactly(length, deadline))
        if not isinstance(message, dict):
            raise TypeError("a message of another form")
        return message

    def _exactly(self, count: int, deadline: float) -> bytes:
        parts, missing = [], count
        while missing:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            part = self._socket.recv(min(missing, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _ended(self, error: Exception) -> str:
        if isinstance(error, EOFError | OSError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(timeout=1.0)
                return signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return f"{type(error).__name__}: {error}"


_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# Memory that is freed stays with the child (glibc): fetching it again for every file costs a third of a clip's time.
_KEPT_MEMORY = dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(1 << 28))


def _not_started(error: OSError) -> MediaError:
    return MediaError("decoder_crashed", f"no process for the decoder could be started ({error}); end some others")


def _finite(seconds: Any) -> float:
    if not math.isfinite(number := float(seconds)):
        raise ValueError(f"{number} seconds")
    return number


def _framed(message: Any) -> bytes:
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


def _result(message: dict[str, Any]) -> dict[str, Any]:
    """Return the task's result, or raise what the message says it raised."""
    done = message.get("done")
    if isinstance(done, dict):
        return done
    error = message.get("error")
    match error:
        case ["MediaError", str(code), str(detail), float(read)] if code in MediaError.CODES and math.isfinite(read):
            raise MediaError(code, detail[:_LONGEST_TEXT], read)
        case [str(kind), str(text)] if kind in _ERRORS:
            raise _ERRORS[kind](text[:_LONGEST_TEXT])
        case ["other", str(text)]:
            raise MediaError("unreadable", text[:_LONGEST_TEXT])
    raise MediaError("decoder_crashed", "the decoder answered in another form")


def serve() -> None:
    """Be the child: take files and requests from the socket until it closes."""
    descriptor, name, memory, path = sys.argv[1:5]
    sys.path[:] = path.split(os.pathsep)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_the_parent()
    task = _task(name)
    _limit(int(memory))
    with socket.socket(fileno=int(descriptor)) as connection:
        while True:
            flag, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
            if not flag:
                return
            with os.fdopen(descriptors[0], "rb") as file:
                connection.sendall(_framed(_outcome(task, file, connection)))


def _end_with_the_parent() -> None:
    """Have the kernel end this process when its standard input closes, which it does when the parent dies.

    Between files the closed socket would do; this ends also a decoder that hangs. Elsewhere than on Linux, SIGIO ends
    nothing, and a hanging decoder has its processor time to live.
    """
    if sys.platform == "linux":
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)


def _task(name: str) -> Task:
    """Return the function that `module:function` names, or one that says why it cannot be had."""
    module, _, function = name.partition(":")
    try:
        task: Task = getattr(importlib.import_module(module), function)
    except Exception as error:  # whatever a module that is broken raises
        text = f"{name} cannot be imported ({type(error).__name__}: {error}); install earmark again"

        def task(*_: object) -> dict[str, Any]:
            raise ImportError(text)

    return task


def _outcome(task: Task, file: BinaryIO, connection: socket.socket) -> dict[str, Any]:
    request = msgspec.msgpack.decode(_read_exactly(connection, _LENGTH.unpack(_read_exactly(connection, 4))[0]))
    _allow_processor_seconds(_PROCESSOR_SECONDS)
    try:
        return {"done": task(file, request, lambda seconds: connection.sendall(_framed({"seconds": seconds})))}
    except MediaError as error:
        return {"error": ["MediaError", error.code, error.detail, float(error.partial)]}
    except tuple(_ERRORS.values()) as error:
        return {"error": [type(error).__name__, str(error)]}
    except MemoryError:
        return {"error": ["MediaError", "too_large", "it takes more memory than a file may", 0.0]}
    except Exception as error:  # what a decoder raises on damaged input has no end of kinds
        return {"error": ["other", f"{type(error).__name__}: {error}"[:_LONGEST_TEXT]]}


def _read_exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise SystemExit(0)
        parts += part
    return bytes(parts)


def _limit(memory_bytes: int) -> None:
    """Limit this process, after its imports, for the rest of its life."""
    limits = {resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: _FILES_OF_A_CHILD}
    if sys.platform == "linux":  # elsewhere the address space cannot be limited, or holds too much else
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limits[resource.RLIMIT_AS] = mapped + memory_bytes
    for which, most in limits.items():
        _, hard = resource.getrlimit(which)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (bound, bound))


def _allow_processor_seconds(seconds: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
