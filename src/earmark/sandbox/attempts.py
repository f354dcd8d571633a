"""What a sandbox's child must not be able to do, tried in it: nobody has to believe that this kernel forbids it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

TASK = f"{__name__}:attempt"


def attempt(file: BinaryIO, request: dict[str, Any], report_seconds: Callable[[float], None]) -> dict[str, Any]:
    """Return which of `ATTEMPTS` were not refused; none does harm where it succeeds."""
    return {"allowed": [name for name, action in ATTEMPTS.items() if not _is_refused(action)]}


def _is_refused(action: Callable[[], object]) -> bool:
    try:
        action()
    except PermissionError:
        return True
    except OSError:  # it came as far as to fail for another reason
        return False
    return False


def _read() -> None:
    os.close(os.open(sys.executable, os.O_RDONLY))


def _write() -> None:
    os.close(os.open(os.devnull, os.O_WRONLY))


def _make() -> None:
    folder = Path("/tmp", f"earmark-{os.getpid()}")  # not tempfile's, which writes to find out where it may
    folder.mkdir()
    folder.rmdir()


def _connect() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.connect(("127.0.0.1", 9))  # a datagram socket sends nothing for that


def _start() -> None:
    os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {}), 0)


def _signal() -> None:
    os.kill(os.getppid(), 0)  # 0: whether it may, no more


ATTEMPTS: dict[str, Callable[[], None]] = {
    "read a file": _read,
    "write a file": _write,
    "make or remove a file": _make,
    "open a connection": _connect,
    "start a program": _start,
    "signal another process": _signal,
}
