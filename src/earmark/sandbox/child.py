"""The child of a sandbox: limits itself, then runs one task on each file that it is sent."""

from __future__ import annotations

import fcntl
import importlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from earmark.sandbox import wire

Task = Callable[[BinaryIO, dict[str, Any], Callable[[float], None]], dict[str, Any]]

MAX_FILES = 16  # open descriptors
MAX_PROCESSOR_SECONDS = 3_600  # seconds of processor time a file; enough for days of audio


def serve() -> None:
    """Take files and requests from the socket until it closes; the arguments are `sys.argv`'s."""
    descriptor, name, memory, path = sys.argv[1:5]
    sys.path[:] = path.split(os.pathsep)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_the_parent()
    task = task_called(name)
    _limit(int(memory))
    with socket.socket(fileno=int(descriptor)) as connection:
        while True:
            flag, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
            if not flag:
                return
            with os.fdopen(descriptors[0], "rb") as file:
                try:
                    request = wire.receive(connection)
                except EOFError:
                    return
                connection.sendall(wire.framed(_outcome(task, file, request, connection)))


def task_called(name: str) -> Task:
    """Return the function that `module:function` names, or one that says why it cannot be had."""
    module, _, function = name.partition(":")
    try:
        task: Task = getattr(importlib.import_module(module), function)
    except Exception as error:  # whatever a module that is broken raises
        text = f"{name} cannot be imported ({type(error).__name__}: {error}); install earmark again"

        def task(*_: object) -> dict[str, Any]:
            raise ImportError(text)

    return task


def _outcome(task: Task, file: BinaryIO, request: dict[str, Any], connection: socket.socket) -> dict[str, Any]:
    def report(seconds: float) -> None:
        connection.sendall(wire.framed({"seconds": seconds}))

    _allow_processor_seconds(MAX_PROCESSOR_SECONDS)
    try:
        return {"done": task(file, request, report)}
    except Exception as error:  # damaged input makes decoders raise exceptions of every kind
        return wire.failure(error)


def _end_with_the_parent() -> None:
    """Have the kernel end this process when its standard input closes, which it does when the parent dies.

    Between files the closed socket would do; this ends also a decoder that hangs. Elsewhere than on Linux, SIGIO ends
    nothing, and a hanging decoder has its processor time to live.
    """
    if sys.platform == "linux":
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)


def _limit(memory_bytes: int) -> None:
    """Limit this process, after its imports, for the rest of its life."""
    limits = {resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: MAX_FILES}
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
