"""What a pool's child does in tests instead of extracting: files of one word make it crash, wait or lie."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from earmark.extract.task import extract, warm_up

__all__ = ["obey", "warm_up"]

LIES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no fingerprint": {"packed": b"\xc1"},
    "bytes that nobody packed": {"packed": b"\x00" * 100},
    "seconds without end": {"seconds": float("inf")},
    "no number of seconds": {"seconds": float("nan")},
    "negative seconds": {"seconds": -1.0},
    "tags of numbers": {"tags": {"title": 7}},
}


def obey(file: BinaryIO, request: dict[str, Any], report_seconds: Callable[[float], None]) -> dict[str, Any]:
    """Do what the file says in words, or extract it when it is music."""
    word = file.read(100)
    file.seek(0)
    if word == b"crash":
        signal.raise_signal(signal.SIGSEGV)
    if word == b"wait":
        time.sleep(60)
    if word == b"rest":
        time.sleep(1)
        return {}
    lie = LIES.get(word.decode("utf-8", "replace"))
    if lie is None:
        return extract(file, request, report_seconds)
    return {"packed": b"", "seconds": 1.0, "complete": True, "silent": False, "tags": {}, **lie} if lie else {}
