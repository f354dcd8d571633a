"""The samples of sound that is followed: decoded in a child of its own, handed on as they come."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import closing
from typing import Any, BinaryIO

import numpy as np

from earmark.errors import MediaError
from earmark.extract.live_task import TASK
from earmark.sandbox.process import Limits, Sandbox
from earmark.types import Samples

# Of a source that reconnects: a decoder that takes bytes and gives nothing for a minute is given up.
CONNECTION_LIMITS = Limits(blocked_seconds=60.0)
PIPE_LIMITS = Limits(blocked_seconds=10 * 365 * 86_400.0)  # whoever writes into a pipe may be silent for years


class LiveDecoder:
    """Decodes one file or pipe after another in one child; `close` ends it, also in the middle of one."""

    def __init__(self, limits: Limits = CONNECTION_LIMITS) -> None:
        self._sandbox = Sandbox(TASK, limits=limits)
        self.declared_seconds: float | None = None  # how long the present file says it is

    def close(self) -> None:
        """End the child; a caller that waits for samples gets a MediaError."""
        self._sandbox.close()

    def samples(self, file: BinaryIO, *, rate: int) -> Generator[Samples, None, None]:
        """Yield mono float32 blocks, (n,), at `rate` Hz, of a file with a descriptor; raises MediaError."""
        self.declared_seconds = None
        with closing(self._sandbox.stream(file, {"rate": rate})) as parts:
            for part in parts:
                if "pcm" in part:
                    yield _checked(part["pcm"])
                else:
                    self.declared_seconds = _declared(part.get("declared"))


def _checked(pcm: Any) -> Samples:
    """Return samples that a child sent; a compromised one can send anything."""
    if not isinstance(pcm, bytes) or len(pcm) % 4:
        raise MediaError("decoder_crashed", "the decoder sent something else than samples")
    samples = np.frombuffer(pcm, np.float32)
    if not np.isfinite(samples).all():
        raise MediaError("decoder_crashed", "the decoder sent samples that are not finite")
    return samples


def _declared(seconds: Any) -> float | None:
    return float(seconds) if isinstance(seconds, int | float) and math.isfinite(seconds) and seconds > 0 else None
