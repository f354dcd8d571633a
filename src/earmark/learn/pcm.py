"""Decoded recordings: 16-bit samples at one rate, end to end in one file that is memory-mapped."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.arguments import made_folder
from earmark.atomic import written_beside
from earmark.audio.container import open_regular
from earmark.errors import MediaError, OptionError
from earmark.sandbox.process import Sandbox
from earmark.schema import prepared
from earmark.types import Samples

FULL_SCALE = 32_767  # 16-bit value of amplitude 1
FILES_AHEAD = 8  # files that are decoded and not yet written
SHORTEST_SECONDS = 1.0  # length of a segment
MOST_NAMED = 3  # files that a message names


class _Contents(msgspec.Struct):
    rate: int
    lengths: list[int]  # samples
    failed: list[tuple[str, str]]  # (path, reason)
    names: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class Sounds:
    """Recordings as samples: recording k is `samples[starts[k] : starts[k] + lengths[k]]`.

    Pickled, it is mapped again by the other process and not copied.
    """

    rate: int  # Hz
    samples: np.memmap[Any, np.dtype[np.int16]]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    names: tuple[str, ...]  # paths, as given, of the recordings
    failed: tuple[tuple[str, str], ...]  # (path, reason)

    def __len__(self) -> int:
        return len(self.lengths)

    def __reduce__(self) -> tuple[Any, ...]:
        path = str(self.samples.filename)
        return _mapped, (self.rate, path, self.starts, self.lengths, self.names, self.failed)

    @property
    def hours(self) -> float:
        """Total length."""
        return float(self.lengths.sum()) / self.rate / 3600

    def excerpt(self, number: int, start: int, length: int) -> Samples:
        """Return `length` float32 samples of a recording from `start` on, zeros outside of it."""
        out = np.zeros(length, np.float32)
        first, last = max(start, 0), min(start + length, int(self.lengths[number]))
        if last > first:
            begin = int(self.starts[number])
            np.divide(self.samples[begin + first : begin + last], FULL_SCALE, out=out[first - start : last - start])
        return out

    def looped(self, number: int, start: int, length: int) -> Samples:
        """Return `length` float32 samples of a recording from `start` on, repeated from its beginning after its end."""
        begin, size = int(self.starts[number]), int(self.lengths[number])
        places = begin + (start + np.arange(length)) % size
        return self.samples[places].astype(np.float32) / np.float32(FULL_SCALE)

    def only(self, wanted: Sequence[str]) -> Sounds:
        """Return the recordings with these paths; the samples are shared."""
        chosen = set(wanted)
        keep = np.array([name in chosen for name in self.names], bool)
        names = tuple(name for name in self.names if name in chosen)
        return Sounds(self.rate, self.samples, self.starts[keep], self.lengths[keep], names, self.failed)


def prepare(
    paths: Sequence[Path], *, rate: int, folder: Path, progress: Callable[[int, int], object] | None = None
) -> Sounds:
    """Return recordings, decoded into `folder` unless they are there already.

    Files that cannot be decoded or are shorter than a second are listed in `failed`. `progress` is called with (files
    done, files). Raises OptionError when no file is left.
    """
    made_folder(folder)
    key = hashlib.sha256(_json([rate, *(_cache_key(path) for path in paths)])).hexdigest()[:20]
    data, described = folder / f"{key}.pcm", folder / f"{key}.json"
    if not described.exists():
        _decode_all(paths, rate, data, described, progress)
    read = json.loads(described.read_bytes().decode(errors="surrogateescape"))
    contents = msgspec.convert(read, prepared(_Contents))
    lengths = np.array(contents.lengths, np.int64)
    if not len(lengths):
        reasons = "; ".join(f"{path}: {reason}" for path, reason in contents.failed[:MOST_NAMED])
        raise OptionError(f"none of the files can be learned from ({reasons}); give others")
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return _mapped(rate, str(data), starts, lengths, tuple(contents.names), tuple(contents.failed))


def _mapped(
    rate: int,
    path: str,
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    names: tuple[str, ...],
    failed: tuple[tuple[str, str], ...],
) -> Sounds:
    return Sounds(rate, np.memmap(path, np.int16, mode="r"), starts, lengths, names, failed)


def _decode_all(
    paths: Sequence[Path],
    rate: int,
    data: Path,
    described: Path,
    progress: Callable[[int, int], object] | None,
) -> None:
    contents = _Contents(rate, [], [], [])
    with written_beside(data) as part, part.open("wb") as file:
        for done, (path, found) in enumerate(_decoded(paths, rate), start=1):
            if isinstance(found, str):
                contents.failed.append((str(path), found))
            else:
                contents.lengths.append(file.write(found) // np.dtype(np.int16).itemsize)
                contents.names.append(str(path))
            if progress is not None:
                progress(done, len(paths))
    with written_beside(described) as part:
        part.write_bytes(_json(msgspec.to_builtins(contents)))


def _json(contents: object) -> bytes:
    """Return JSON in which names of files keep the bytes that are no UTF-8."""
    return json.dumps(contents, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogateescape")


def _decoded(paths: Sequence[Path], rate: int) -> Iterator[tuple[Path, bytes | str]]:
    """Yield (path, its samples or the reason why there are none) in order; child processes decode the files."""
    with ExitStack() as stack:
        children = [stack.enter_context(Sandbox(f"{__name__}:read_samples")) for _ in range(os.cpu_count() or 1)]
        threads = stack.enter_context(ThreadPoolExecutor(len(children)))
        waiting = []
        for path, child in zip(paths, cycle(children)):
            waiting.append((path, threads.submit(_one, path, rate, child)))
            if len(waiting) > FILES_AHEAD:
                first, future = waiting.pop(0)
                yield first, future.result()
        for path, future in waiting:
            yield path, future.result()


def _one(path: Path, rate: int, child: Sandbox) -> bytes | str:
    try:
        with open_regular(path) as file:
            samples: bytes = child.call(file, {"rate": rate})["samples"]
    except (MediaError, OSError) as error:
        return str(error)
    seconds = len(samples) / (np.dtype(np.int16).itemsize * rate)
    return samples if seconds >= SHORTEST_SECONDS else f"{seconds:.2f} s: too short"


def warm_up(settings: dict[str, Any]) -> None:
    """Load what decoding needs; runs in the child."""
    from earmark.audio.decode import load_decoders

    load_decoders()


def read_samples(file: BinaryIO, request: dict[str, Any], report_seconds: Callable[[float], None]) -> dict[str, Any]:
    """Decode a file to its end, as 16 bits a sample; runs in the child."""
    from earmark.audio.decode import decode

    with decode(file, rate=request["rate"], report_seconds=report_seconds) as audio:
        parts = [np.rint(np.clip(block, -1, 1) * FULL_SCALE).astype(np.int16).tobytes() for block in audio]
    return {"samples": b"".join(parts)}


def _cache_key(path: Path) -> list[str | int]:
    """Return path, size and time of a file: its key in the cache."""
    try:
        status = path.stat()
    except OSError as error:
        raise OptionError(f"{path}: {error.strerror}; give files that exist") from error
    return [str(path), status.st_size, status.st_mtime_ns]
