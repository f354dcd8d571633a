"""Files and pipes as sources: read as fast as somebody listens, with times that their samples tell."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from earmark.audio.container import open_regular
from earmark.errors import MediaError
from earmark.extract.live import PIPE_LIMITS, LiveDecoder
from earmark.streams.items import Item, Sound
from earmark.text import printable

WAKE_SECONDS = 0.2  # between two looks whether a pipe that nobody writes to was closed


class FileSource:
    """A file. Its first sample was heard at `start`, or when it was last changed less its length."""

    is_live = False

    def __init__(self, path: str | os.PathLike[str], *, rate: int, start: float | None = None) -> None:
        self.name, self.rate = printable(path), rate
        self._path, self._start, self._decoder = Path(path), start, LiveDecoder()

    def items(self) -> Iterator[Item]:
        """Yield the sound; raises MediaError."""
        with open_regular(self._path) as file, closing(self._decoder):
            start, heard = self._start, 0
            for block in self._decoder.samples(file, rate=self.rate):
                if start is None:
                    start = os.fstat(file.fileno()).st_mtime - (self._decoder.declared_seconds or 0.0)
                heard += len(block)
                yield Sound(block, start + heard / self.rate)

    def close(self) -> None:
        """End the decoder."""
        self._decoder.close()


class PipeSource:
    """A pipe, as standard input. Its first sample is heard at `start`, or when it arrives."""

    is_live = False

    def __init__(
        self,
        pipe: BinaryIO | str | os.PathLike[str],
        *,
        rate: int,
        start: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`pipe`: a file with a descriptor, or the path of a FIFO."""
        self.name = printable(pipe) if isinstance(pipe, str | os.PathLike) else "standard input"
        self.rate, self._is_closed = rate, False
        self._pipe, self._start, self._clock, self._decoder = pipe, start, clock, LiveDecoder(PIPE_LIMITS)

    def items(self) -> Iterator[Item]:
        """Yield the sound; raises MediaError."""
        with self._opened() as file, closing(self._decoder):
            start, heard = self._start, 0
            for block in () if self._is_closed else self._decoder.samples(file, rate=self.rate):
                heard += len(block)
                if start is None:
                    start = self._clock() - heard / self.rate
                yield Sound(block, start + heard / self.rate)

    def close(self) -> None:
        """End the decoder, and the wait for somebody who writes into a FIFO."""
        self._is_closed = True
        self._decoder.close()

    def _opened(self) -> BinaryIO:
        if not isinstance(self._pipe, str | os.PathLike):
            return os.fdopen(os.dup(self._pipe.fileno()), "rb", buffering=0)
        try:
            descriptor = os.open(self._pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # it would wait for a writer
        except OSError as error:
            raise MediaError("unreadable", f"{self.name}: {error.strerror}") from error
        writers = select.poll()
        writers.register(descriptor, select.POLLIN)
        while not self._is_closed and not writers.poll(1_000 * WAKE_SECONDS):
            pass
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb", buffering=0)
