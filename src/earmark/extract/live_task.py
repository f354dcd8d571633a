"""What a sandbox's child does with sound that is followed: decode it and hand on its samples as they come."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from earmark.audio.decode import Decoder, decode, decode_live, load_decoders

TASK = "earmark.extract.live_task:samples"


def warm_up(settings: dict[str, Any]) -> None:
    """Load all that decoding needs by doing it once: later, nothing can be opened."""
    load_decoders()


def samples(
    file: BinaryIO, request: dict[str, Any], report_seconds: Callable[[float], None]
) -> Iterator[dict[str, Any]]:
    """Yield `pcm`, mono float32 at the request's `rate`, of a file from its beginning, or of a pipe as it arrives.

    The first part holds `declared`, how many seconds a file says it has, or None.
    """
    with _decoder(file, int(request["rate"])) as decoder:
        yield {"declared": decoder.declared_seconds, "seconds": 0.0}
        heard = 0
        for block in decoder:
            heard += len(block)
            yield {"pcm": block.tobytes(), "seconds": heard / request["rate"]}


def _decoder(file: BinaryIO, rate: int) -> Decoder:
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return decode(file, rate=rate)
    return decode_live(file, rate=rate)
