"""Looking at processes from outside, and at what a sandbox's call says went wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from earmark.errors import MediaError
from earmark.sandbox.process import Sandbox

ROOT = Path(__file__).parents[2]


def code_and_detail(sandbox: Sandbox, file: BinaryIO, **request: Any) -> tuple[str, str]:
    with pytest.raises(MediaError) as caught:
        sandbox.call(file, request)
    return caught.value.code, caught.value.detail


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def has_ended(process: int) -> bool:
    return not is_alive(process)


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
