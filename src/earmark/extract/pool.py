"""From sound to a fingerprint: what a sandboxed child does with a file, and the parent's pool of such children."""

from __future__ import annotations

import functools
import io
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import numpy as np

from earmark.audio.arrays import to_mono
from earmark.errors import MediaError, OptionError, SpecMismatch

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter
    from earmark.sandbox.process import Sandbox
    from earmark.types import Fingerprint, Samples

Source = str | os.PathLike[str] | bytes | BinaryIO | tuple[Any, int]

# 80 dB below full scale: just above the dither of 16-bit sound (-93 dB), and below any music.
SILENCE_PEAK = 1e-4

LONGEST_QUERY_SECONDS = 3 * 3600.0  # a long show; a day of silence is some kB to send and a minute to read

_COPY_BYTES = 1 << 20
_TELL_SECONDS = 60.0  # of audio: how often a child says how far it is
_LARGEST_UPLOAD_BYTES = 4 << 30  # of a stream without a file behind it; it is copied to a temporary file first


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """What a child made of a file."""

    packed: bytes  # by Fingerprinter.pack
    seconds: float
    complete: bool
    silent: bool
    features: int
    tags: Mapping[str, str] = field(default_factory=dict)


@functools.cache
def _fingerprinter(name: str, preset: str) -> Fingerprinter:
    """Return the fingerprinter; the child keeps it, so that its tables are made once."""
    from earmark.fingerprints import make

    return make(name, **msgspec.json.decode(preset))


def make_fingerprinter(name: str, preset: Mapping[str, Any]) -> Fingerprinter:
    """Return a fingerprinter by its name and settings; raises OptionError for either."""
    return _fingerprinter(name, msgspec.json.encode(dict(preset)).decode())


def extract(file: BinaryIO, request: dict[str, Any], heard: Callable[[float], None]) -> dict[str, Any]:
    """Decode a file and return its packed fingerprint with what else is known of it; runs in the child."""
    from earmark.audio.decode import decode

    fingerprinter = _fingerprinter(request["fingerprinter"], request["preset"])
    with decode(file, rate=fingerprinter.rate, max_seconds=request.get("most_seconds")) as audio:
        listening = _Listening(audio, fingerprinter.rate, heard)
        fingerprint = fingerprinter.extract(listening, query=request["query"])
        report = audio.report
    return {
        "packed": fingerprinter.pack(fingerprint),
        "seconds": float(report.seconds),
        "complete": bool(report.complete),
        "silent": listening.peak < SILENCE_PEAK,
        "features": len(fingerprint.frames),
        "tags": dict(report.tags),
    }


class _Listening:
    """Blocks of samples that pass through, and their peak; says from time to time how much was heard."""

    def __init__(self, blocks: Iterable[Samples], rate: int, heard: Callable[[float], None]) -> None:
        self._blocks, self._rate, self._heard = blocks, rate, heard
        self.peak = 0.0

    def __iter__(self) -> Iterator[Samples]:
        samples, told = 0, 0.0
        for block in self._blocks:
            if len(block):
                self.peak = max(self.peak, float(np.abs(block).max()))
            samples += len(block)
            if samples / self._rate >= told + _TELL_SECONDS:
                told = samples / self._rate
                self._heard(told)
            yield block


class Extractors:
    """Sandboxed children that extract; as many as are asked at the same time, kept for the next."""

    def __init__(self, fingerprinter: str, preset: Mapping[str, Any]) -> None:
        self._request = {"fingerprinter": fingerprinter, "preset": msgspec.json.encode(dict(preset)).decode()}
        self._maker = make_fingerprinter(fingerprinter, preset)
        self._idle: list[Sandbox] = []
        self._all: list[Sandbox] = []
        self._lock = Lock()
        self._closed = False

    @property
    def fewest_features(self) -> int:
        """A recording with fewer cannot be told from others."""
        return self._maker.fewest_features

    def extract(self, file: BinaryIO, *, query: bool = False) -> Extracted:
        """Return what a child makes of an open file; raises MediaError."""
        with self._borrowed() as sandbox:
            most = {"most_seconds": LONGEST_QUERY_SECONDS} if query else {}
            answer = sandbox.call(file, {**self._request, "query": query, **most})
        try:
            extracted = msgspec.convert(answer, Extracted)
            self._maker.unpack(extracted.packed)
        except (msgspec.MsgspecError, ValueError, zlib.error, SpecMismatch) as error:
            # Whoever took over the child answers what he likes.
            raise MediaError("decoder_crashed", f"the decoder answered in another form ({error})") from error
        return extracted

    def close(self) -> None:
        """End all children, also those at work: their callers get a MediaError."""
        with self._lock:
            self._closed = True
            sandboxes, self._all, self._idle = self._all, [], []
        for sandbox in sandboxes:
            sandbox.close()

    @contextmanager
    def _borrowed(self) -> Iterator[Sandbox]:
        from earmark.sandbox.process import Sandbox

        with self._lock:
            sandbox = self._idle.pop() if self._idle else None
        if sandbox is None:
            sandbox = Sandbox("earmark.extract.pool:extract")
            with self._lock:
                self._all.append(sandbox)
        if self._closed:
            sandbox.close()
            raise MediaError("unreadable", "the catalog was closed meanwhile; open it again")
        try:
            yield sandbox
        finally:
            with self._lock:
                if not self._closed:
                    self._idle.append(sandbox)


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """Open a path, bytes or a file object as a file that a child can be given."""
    from earmark.audio.container import open_regular

    if isinstance(source, str | os.PathLike):
        with open_regular(Path(source)) as file:
            yield file
        return
    stream = io.BytesIO(source) if isinstance(source, bytes | bytearray | memoryview) else source
    if isinstance(stream, tuple) or not hasattr(stream, "read"):
        raise OptionError(f"{type(source).__name__} is no source; give a path, bytes, a file or (samples, rate)")
    with tempfile.TemporaryFile() as file:
        copied = 0
        while part := stream.read(_COPY_BYTES):
            copied += len(part)
            if copied > _LARGEST_UPLOAD_BYTES:
                raise MediaError("too_large", f"more than {_LARGEST_UPLOAD_BYTES >> 30} GiB; pass a file by its path")
            file.write(part)
        file.flush()
        file.seek(0)
        yield file


def fingerprint_of(source: Source, fingerprinter: str, preset: Mapping[str, Any], *, query: bool) -> Fingerprint:
    """Return the fingerprint of a source, without a catalog; `earmark.fingerprints` says more."""
    maker = make_fingerprinter(fingerprinter, preset)
    if isinstance(source, tuple):
        return maker.extract(to_mono(*source, to_rate=maker.rate), query=query)
    extractors = Extractors(fingerprinter, preset)
    try:
        with opened(source) as file:
            return maker.unpack(extractors.extract(file, query=query).packed)
    finally:
        extractors.close()


def pack_samples(samples: Samples, maker: Fingerprinter, *, query: bool) -> Extracted:
    """Return what `extract` would, for samples that are in memory already."""
    fingerprint = maker.extract(samples, query=query)
    seconds, peak = len(samples) / maker.rate, float(np.abs(samples).max(initial=0.0))
    return Extracted(maker.pack(fingerprint), seconds, True, peak < SILENCE_PEAK, len(fingerprint.frames))


def check_spec(maker: Fingerprinter, spec: str, where: object) -> None:
    """Raise SpecMismatch when a catalog's fingerprints are not of the kind that `maker` makes."""
    if str(maker.spec) != spec:
        raise SpecMismatch(
            f"{where} holds fingerprints {spec}, this earmark makes {maker.spec}; "
            "open it with the earmark that made it, or index the audio again"
        )
