"""The child of a sandbox: loads what its task needs, gives up its rights, then runs the task on each file it gets."""

from __future__ import annotations

import fcntl
import importlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from earmark.sandbox import landlock, seccomp, wire

# A task answers with its result, or with parts of it as they come: each with `seconds`, how much it has heard.
Task = Callable[[BinaryIO, dict[str, Any], Callable[[float], None]], dict[str, Any] | Iterator[dict[str, Any]]]

MAX_FILES = 16  # descriptors that a child may have open
MAX_PROCESSOR_SECONDS = 3_600  # seconds of processor time a file; enough for days of audio


def serve() -> None:
    """Take files and requests from the socket until it closes; the arguments are `sys.argv`'s."""
    descriptor, name, memory, path = sys.argv[1:5]
    sys.path[:] = path.split(os.pathsep)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the parent ends it, when its own work allows
    _end_with_the_parent()
    with socket.socket(fileno=int(descriptor)) as connection:
        try:
            task = loaded_task(name, wire.receive(connection))
        except Exception as error:  # a module that is broken, settings that make no sense
            connection.sendall(wire.framed(wire.failure(error)))
            return
        _limit(int(memory))
        connection.sendall(wire.framed({"done": {"held_by": give_up_rights()}}))
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


def loaded_task(name: str, settings: dict[str, Any]) -> Task:
    """Return the function that `module:function` names, after its module's `warm_up(settings)` where it has one."""
    module, _, function = name.partition(":")
    try:
        found = importlib.import_module(module)
        task: Task = getattr(found, function)
    except Exception as error:  # whatever a module that is broken raises
        text = f"{name} cannot be imported ({type(error).__name__}: {error}); install earmark again"
        raise ImportError(text) from error
    getattr(found, "warm_up", lambda settings: None)(settings)
    return task


def give_up_rights() -> list[str]:
    """Give up what a task needs not, for good, and return what on this machine holds the process to that."""
    found = landlock.restrict()
    holding = [f"Landlock {found}"] if found else []
    return [*holding, "seccomp"] if seccomp.restrict() else holding


def _outcome(task: Task, file: BinaryIO, request: dict[str, Any], connection: socket.socket) -> dict[str, Any]:
    def report(seconds: float) -> None:
        connection.sendall(wire.framed({"seconds": seconds}))

    _allow_processor_seconds(MAX_PROCESSOR_SECONDS)
    try:
        done = task(file, request, report)
        if isinstance(done, dict):
            return {"done": done}
        for part in done:
            connection.sendall(wire.framed({"part": part}))
        return {"done": {}}
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
