"""Decoding: any audio that people have, to mono float32 at any rate, in blocks.

Times come from the samples that are decoded, never from what a file says of itself. Where a part is damaged and the
time goes on after it, silence takes its place, so that what follows keeps its time.

All channels are mixed. Where mixing would cancel them (a channel is the other's negative), the louder one is used
instead: while the mix carries less than a tenth of the amplitude of the difference, decided over each stretch of
`DECISION_SECONDS` so that the result does not depend on how the file is cut into packets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from earmark.audio.media import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS, Media, opened
from earmark.audio.tags import cleaned_tags
from earmark.errors import MediaError, OptionError
from earmark.types import Samples

BLOCK_SECONDS = 4.0  # about how much is mixed and resampled at once
DECISION_SECONDS = 1.0
CANCELLED = 0.1  # RMS of the mix over RMS of half the difference, below which the channels cancel
MOST_NOT_FINITE = 0.01  # share of samples
LONGEST_GAP_SECONDS = 60.0  # of damage that is filled; a larger jump of the clock is the file's own doing
QUALITY = "MQ"  # of soxr: stop band 100 dB down, as fast as LQ here; HQ costs 10 % more and changes no fingerprint


@dataclass(frozen=True, slots=True)
class MediaReport:
    """What was found in a file, complete once it has been read to its end."""

    seconds: float  # of audio that came out
    complete: bool  # False: it broke off, or parts are damaged
    damaged_packets: int
    filled_seconds: float  # of silence in place of damage
    replaced_samples: int  # that were not finite
    channels: int
    source_rate: int  # Hz
    codec: str
    container: str
    louder_channel_seconds: float  # in which one channel stands for all, because they cancel
    peak: float
    tags: dict[str, str] = field(default_factory=dict)


def decode(source: Media, *, rate: int, max_seconds: float | None = None, stream: int = 0) -> Decoder:
    """Return a decoder of a file (path, bytes or file object), to be used in `with` and iterated once.

    It yields mono float32 blocks, shape (n,), at `rate` Hz. `stream` chooses among several audio streams. Longer files
    than `max_seconds` raise MediaError `too_long` when that much has been read.
    """
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise OptionError(f"rate={rate}; give {LOWEST_RATE} to {HIGHEST_RATE} Hz")
    return Decoder(source, rate, max_seconds, stream)


def load(source: Media, *, rate: int, max_seconds: float | None = None) -> tuple[Samples, MediaReport]:
    """Return (samples, report) of a whole file."""
    with decode(source, rate=rate, max_seconds=max_seconds) as decoder:
        blocks = list(decoder)
        return np.concatenate(blocks) if blocks else np.zeros(0, np.float32), decoder.report


def from_samples(samples: Any, rate: int, *, to_rate: int) -> Samples:
    """Return samples of shape (n,) or (n, channels) as mono float32 at `to_rate`.

    Integers are scaled to [-1, 1]. Raises OptionError for another shape, type or rate, or samples that are not finite.
    """
    audio = np.asarray(samples)
    if audio.ndim not in (1, 2) or (audio.ndim == 2 and not 1 <= audio.shape[1] <= MOST_CHANNELS):
        raise OptionError(f"samples of shape {audio.shape}; give (n,) or (n, channels)")
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise OptionError(f"samples at {rate} Hz; give {LOWEST_RATE} to {HIGHEST_RATE} Hz")
    if audio.dtype.kind in "iu":
        audio = _scaled(audio)
    elif audio.dtype.kind != "f":
        raise OptionError(f"samples of type {audio.dtype}; give floats in [-1, 1] or integers")
    if not np.isfinite(audio).all():
        raise OptionError(f"{int((~np.isfinite(audio)).sum())} samples are not finite; replace them first")
    planes = audio.astype(np.float32)[None, :] if audio.ndim == 1 else audio.T.astype(np.float32)
    mixer = _Mixer(rate, len(planes))
    mono = np.concatenate([mixer.mix(planes), mixer.flush()])
    if rate == to_rate:
        return mono
    return np.asarray(soxr.resample(mono, rate, to_rate, QUALITY), np.float32)


class Decoder:
    """Mono blocks of one file, and its report; `decode` makes one."""

    def __init__(self, source: Media, rate: int, max_seconds: float | None, stream: int) -> None:
        self._source, self._rate, self._stream_number = source, rate, stream
        self._most = None if max_seconds is None else int(max_seconds * rate)
        self._opening = opened(source)
        self._given = self._damaged = self._replaced = self._received = 0
        self._filled = self._louder = self._peak = 0.0
        self._whole = False

    def __enter__(self) -> Self:
        self._container: InputContainer = self._opening.__enter__()
        try:
            self._stream = self._chosen_stream()
        except BaseException:
            self._opening.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        self._opening.__exit__(*error)

    def __iter__(self) -> Iterator[Samples]:
        """Yield blocks; raises MediaError when there is nothing to yield, or too much."""
        for block in self._mono():
            if not len(block):
                continue
            self._given += len(block)
            self._peak = max(self._peak, float(np.abs(block).max()))
            if self._most is not None and self._given > self._most:
                limit = self._most / self._rate
                raise MediaError("too_long", f"longer than {limit:.0f} s; cut it or raise the limit", limit)
            yield block
        if not self._given:
            raise MediaError("too_short" if not self._damaged else "unreadable", "no samples came out of the file")
        if self._replaced > MOST_NOT_FINITE * self._received:
            raise MediaError("unreadable", f"{self._replaced} of {self._received} samples are not finite")

    @property
    def report(self) -> MediaReport:
        """What is known so far; complete once all blocks were taken."""
        context = self._stream.codec_context
        return MediaReport(
            seconds=self._given / self._rate,
            complete=self._whole and not self._damaged,
            damaged_packets=self._damaged,
            filled_seconds=self._filled,
            replaced_samples=self._replaced,
            channels=context.channels,
            source_rate=context.sample_rate,
            codec=context.name,
            container=self._container.format.name,
            louder_channel_seconds=self._louder,
            peak=self._peak,
            tags=cleaned_tags(self._container.metadata, self._stream.metadata),
        )

    def _chosen_stream(self) -> AudioStream:
        streams = self._container.streams.audio
        if not streams:
            raise MediaError("no_audio", "the file has no audio stream")
        if not 0 <= self._stream_number < len(streams):
            raise OptionError(
                f"stream={self._stream_number}; the file has {len(streams)} audio streams, counted from 0"
            )
        stream = streams[self._stream_number]
        try:
            context = stream.codec_context
            rate, channels = context.sample_rate, context.channels
        except Exception as error:  # a codec that FFmpeg was built without has no context
            raise MediaError("unsupported", "the audio's codec is not known") from error
        _check(rate, channels)
        context.thread_count = 1  # callers work on many files at once
        return stream

    def _mono(self) -> Iterator[Samples]:
        """Yield mono blocks at the wanted rate, a new resampler whenever the file changes its rate or channels."""
        resampler: Any = None
        mixer: _Mixer | None = None
        for planes, rate in self._planes():
            if mixer is None or (mixer.rate, mixer.channels) != (rate, len(planes)):
                yield from self._flushed(mixer, resampler)
                mixer = _Mixer(rate, len(planes))
                resampler = None if rate == self._rate else soxr.ResampleStream(
                    rate, self._rate, 1, dtype="float32", quality=QUALITY
                )  # fmt: skip
            mono = mixer.mix(planes)
            yield mono if resampler is None else resampler.resample_chunk(mono)
        yield from self._flushed(mixer, resampler)

    def _flushed(self, mixer: _Mixer | None, resampler: Any) -> Iterator[Samples]:
        if mixer is None:
            return
        rest = mixer.flush()
        self._louder += mixer.louder_samples / mixer.rate
        yield rest if resampler is None else resampler.resample_chunk(rest, last=True)

    def _planes(self) -> Iterator[tuple[NDArray[np.float32], int]]:
        """Yield (samples (channels, n), rate), many frames at once."""
        batch: list[NDArray[np.float32]] = []
        held, form = 0, (0, 0)
        for frame in self._frames():
            planes = _planar(frame)
            here = (frame.sample_rate, len(planes))
            if batch and here != form:
                yield self._finite(np.concatenate(batch, axis=1)), form[0]
                batch, held = [], 0
            form = here
            batch.append(planes)
            held += planes.shape[1]
            if held >= BLOCK_SECONDS * frame.sample_rate:
                yield self._finite(np.concatenate(batch, axis=1)), form[0]
                batch, held = [], 0
        if batch:
            yield self._finite(np.concatenate(batch, axis=1)), form[0]

    def _finite(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        self._received += planes.size
        finite = np.isfinite(planes)
        if not finite.all():
            self._replaced += int(planes.size - np.count_nonzero(finite))
            planes = np.where(finite, planes, np.float32(0))
        return planes

    def _frames(self) -> Iterator[AudioFrame | _Silence]:
        """Yield decoded frames, with silence where damage took some; a damaged packet is passed over and counted."""
        clock = _Clock()
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                frames = packet.decode()
            except MemoryError:
                raise
            except Exception:  # FFmpegError, or an IndexError from PyAV on some damaged files
                self._damaged += 1
                clock.expect_gap()
                if self._damaged > 1_000 and not clock.started:
                    raise MediaError("unreadable", "nothing but damaged packets") from None
                if _ended(packets):
                    break
                continue
            if packet.is_corrupt:
                self._damaged += 1
                clock.expect_gap()
            for frame in frames:
                _check(frame.sample_rate, frame.layout.nb_channels)
                gap = clock.gap_before(frame)
                if gap:
                    self._filled += gap / frame.sample_rate
                    yield _Silence(gap, frame.sample_rate, frame.layout.nb_channels)
                yield frame
        self._whole = True


@dataclass(frozen=True, slots=True)
class _Silence:
    samples: int
    sample_rate: int
    channels: int


class _Clock:
    """Where the file's own time is, to know how much damage took away."""

    def __init__(self) -> None:
        self.started = False
        self._next = 0.0  # seconds
        self._gap_expected = False

    def expect_gap(self) -> None:
        self._gap_expected = True

    def gap_before(self, frame: AudioFrame) -> int:
        """Return how many samples are missing before a frame; only where damage was seen."""
        begins = None if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
        missing = 0.0
        if begins is not None:
            if self._gap_expected and self.started:
                missing = min(max(begins - self._next, 0.0), LONGEST_GAP_SECONDS)
            self._next = begins + frame.samples / frame.sample_rate
        elif self.started:
            self._next += frame.samples / frame.sample_rate
        self.started, self._gap_expected = True, False
        return int(missing * frame.sample_rate)


class _Mixer:
    """Mixes channels to mono, stretch by stretch of `DECISION_SECONDS`."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate, self.channels = rate, channels
        self.louder_samples = 0
        self._stretch = max(int(DECISION_SECONDS * rate), 1)
        self._pending: NDArray[np.float32] | None = None

    def mix(self, planes: NDArray[np.float32]) -> Samples:
        """Return the mono samples of the whole stretches that are there by now."""
        if self.channels == 1:
            only: Samples = planes[0]
            return only
        if self._pending is not None:
            planes = np.concatenate([self._pending, planes], axis=1)
        whole = planes.shape[1] // self._stretch * self._stretch
        self._pending = planes[:, whole:]
        return self._mixed(planes[:, :whole])

    def flush(self) -> Samples:
        """Return what is left."""
        rest, self._pending = self._pending, None
        return np.zeros(0, np.float32) if rest is None else self._mixed(rest)

    def _mixed(self, planes: NDArray[np.float32]) -> Samples:
        mono: Samples = planes.mean(axis=0, dtype=np.float32) if len(planes) != 2 else planes[0] + planes[1]
        if len(planes) == 2:
            mono *= np.float32(0.5)  # three times as fast as the mean of two
        for first in range(0, len(mono), self._stretch):
            part = slice(first, first + self._stretch)
            mixed = float(np.dot(mono[part], mono[part]))
            channels = planes[:, part]
            energy = np.einsum("ij,ij->i", channels, channels)
            apart = float(energy.mean()) - mixed  # mean square of what the mix loses
            if mixed < CANCELLED**2 * apart:
                mono[part] = channels[int(energy.argmax())]
                self.louder_samples += len(mono[part])
        return mono


def _planar(frame: AudioFrame | _Silence) -> NDArray[np.float32]:
    """Return a frame's samples as float32 in [-1, 1], shape (channels, n)."""
    if isinstance(frame, _Silence):
        return np.zeros((frame.channels, frame.samples), np.float32)
    samples: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    return samples.astype(np.float32, copy=False) if samples.dtype.kind == "f" else _scaled(samples)


def _scaled(samples: NDArray[Any]) -> NDArray[np.float32]:
    bits = 8 * samples.dtype.itemsize
    floats: NDArray[np.float32] = samples.astype(np.float32)
    if samples.dtype.kind == "u":
        floats -= np.float32(2 ** (bits - 1))
    return floats * np.float32(2.0 ** (1 - bits))


def _check(rate: int, channels: int) -> None:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise MediaError("unsupported", f"a sample rate of {rate} Hz; {LOWEST_RATE} to {HIGHEST_RATE} Hz can be read")
    if not 1 <= channels <= MOST_CHANNELS:
        raise MediaError("unsupported", f"{channels} channels; up to {MOST_CHANNELS} can be read")


def _ended(packets: Iterator[Any]) -> bool:
    """Whether a generator that raised is finished: it yields nothing more."""
    return getattr(packets, "gi_frame", 1) is None
