"""What a pool's child does in tests instead of extracting: files of one word make it crash, wait or lie."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from earmark.extract.fingerprinter import make_fingerprinter
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
    "sound that is no numbers": {"sound": np.full(8, np.nan, "<f4").tobytes()},
    "half a sample": {"sound": b"abcdef"},
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
    if word == b"truth":
        return _truth(request)
    lie = LIES.get(word.decode("utf-8", "replace"))
    if lie is None:
        return extract(file, request, report_seconds)
    return {**_truth(request), **lie} if lie else {}


def _truth(request: dict[str, Any]) -> dict[str, Any]:
    """Return an answer that is believed: of two seconds of a chirp."""
    maker = make_fingerprinter(request["fingerprinter"], request["preset"])
    chirp = np.sin(np.arange(2 * maker.rate, dtype=np.float32) ** 2 * 1e-4)
    packed = maker.pack(maker.extract(chirp))
    return {"packed": packed, "close": True, "seconds": 2.0, "complete": True, "silent": False, "tags": {}}
