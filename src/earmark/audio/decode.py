"""Decoding: audio files to mono float32, shape (n,), at any rate, in blocks.

Times come from the decoded samples, never from what a file declares. Silence replaces damaged parts, so that later
sound keeps its time. Channels are mixed by their mean or, where that would cancel them, the loudest is used, decided
for each `DECISION_SECONDS` so that the result does not depend on the packets.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Self

import numpy as np
import soxr
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from numpy.typing import NDArray

from earmark import codepages
from earmark.audio.avi import EmptyChunks
from earmark.audio.container import (
    HIGHEST_RATE,
    LOWEST_RATE,
    MOST_CHANNELS,
    Media,
    open_container,
    open_live_container,
)
from earmark.audio.downmix import QUALITY, Mixer, scaled
from earmark.audio.gaps import GapClock
from earmark.audio.tags import all_artists, chapters_of, cleaned_tags
from earmark.audio.truncation import TOLERANCE_SECONDS, declared_seconds, is_truncated
from earmark.errors import MediaError, OptionError
from earmark.types import Chapter, Samples

BLOCK_SAMPLES = 1 << 15  # samples of each channel that are mixed and resampled at once; they fit into the cache
LIVE_BLOCK_SAMPLES = 1 << 13  # samples of each channel of sound that arrives, 0.2 s: it must not wait for long
MOST_NOT_FINITE = 0.01  # share of samples above which a file is refused
LOUDEST = 1e6  # multiple of full scale; louder samples count as not finite, because sums of squares overflow
MOST_DAMAGED_IN_A_ROW = 1_000  # damaged packets in a row after which a file is given up
WITHOUT_TIMES = ("mp3", "aac")  # formats without time stamps: FFmpeg counts packets
LEFT_OUT = ("unreadable", "unsupported", "no_audio", "too_short")  # codes of links that are passed over as damage
MOST_FILLED_SECONDS = 3 * 3600.0  # seconds of silence in a file, because a small file must not become long
PYAV_PLANE_BUG_CHANNELS = 8  # planes from which on PyAV reads past the end of their list, up to a null pointer
REPORT_SECONDS = 60.0  # seconds of audio from one report to the next; a fraction of a second of work


@dataclass(frozen=True, slots=True)
class MediaReport:
    """What a file contains; final once it has been read to its end."""

    seconds: float  # decoded sound
    peak: float  # largest sample; full scale is 1
    complete: bool  # False: truncated or damaged
    damaged_packets: int
    filled_seconds: float  # silence in place of lost sound
    replaced_samples: int  # zeros in place of samples that were not finite
    tags: dict[str, str] = field(default_factory=dict)
    chapters: tuple[Chapter, ...] = ()


def decode(
    source: Media,
    *,
    rate: int,
    max_seconds: float | None = None,
    stream: int | None = None,
    suffix: str = "",
    report_seconds: Callable[[float], None] | None = None,
) -> Decoder:
    """Return a decoder of a file (path, bytes or file object), to be used in `with` and iterated once.

    It yields mono float32 blocks, shape (n,), at `rate` Hz. `stream` chooses among several audio streams, counted from
    0 (default: the one that players choose); `suffix` is the ending of the name of a file object. Longer files than
    `max_seconds` raise MediaError `too_long` when that much has been read. `report_seconds` is called after every
    minute of audio how much has come out, in seconds.
    """
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise OptionError(f"rate={rate}; give {LOWEST_RATE} to {HIGHEST_RATE} Hz")
    return Decoder(source, rate, max_seconds, stream, suffix, report_seconds)


def decode_live(stream: BinaryIO, *, rate: int) -> Decoder:
    """Return a decoder, as `decode` does, of sound that arrives on a pipe or socket, for as long as it lasts."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise OptionError(f"rate={rate}; give {LOWEST_RATE} to {HIGHEST_RATE} Hz")
    return Decoder(stream, rate, None, 0, "", None, is_live=True)


def load(source: Media, *, rate: int, max_seconds: float | None = None) -> tuple[Samples, MediaReport]:
    """Return (samples, report) of a whole file."""
    with decode(source, rate=rate, max_seconds=max_seconds) as decoder:
        blocks = list(decoder)
        return np.concatenate(blocks) if blocks else np.zeros(0, np.float32), decoder.report


def load_decoders() -> None:
    """Load all that decoding needs, by doing it once; for processes that afterwards can open nothing."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((2, 2, 44_100, 0, "NONE", ""))
        written.writeframes(bytes(4 * 4_410))
    load(file.getvalue(), rate=LOWEST_RATE)
    codepages.load()
    all_artists(file, "mp3")


class Decoder:
    """Mono blocks of one file, and its report; `decode` makes one."""

    def __init__(
        self,
        source: Media,
        rate: int,
        max_seconds: float | None,
        stream: int | None,
        suffix: str,
        report_seconds: Callable[[float], None] | None,
        *,
        is_live: bool = False,
    ) -> None:
        self._is_live = is_live
        self._rate, self._stream_number = rate, stream
        self._report_seconds, self._reported = report_seconds, 0.0
        self._most = None if max_seconds is None else int(max_seconds * rate)
        self._opening = (
            open_live_container(source)  # type: ignore[arg-type]
            if is_live
            else open_container(source, suffix=suffix)
        )
        self._given = self._damaged = self._replaced = self._received = 0
        self._filled = self._late = self._peak = 0.0  # late: seconds of silence that the file means
        self._begun = self._ended = self._last_is_partial = self._whole = False

    def __enter__(self) -> Self:
        self._container, self._file, self._later_links = self._opening.__enter__()
        try:
            self._stream = self._chosen_stream(self._container)
            self._check_length()
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
                raise _too_long(self._most / self._rate, read=self._most / self._rate)
            self._tell()
            yield block
        if self._ended and not self._is_live:
            seconds, partial = self._given / self._rate, self._last_is_partial
            self._whole = not is_truncated(self._file, self._container, self._stream, seconds, last_is_partial=partial)
        if not self._given:
            raise MediaError("too_short" if not self._damaged else "unreadable", "no samples came out of the file")
        if self._replaced > MOST_NOT_FINITE * self._received:
            raise MediaError("unreadable", f"{self._replaced} of {self._received} samples are not finite")

    @property
    def declared_seconds(self) -> float | None:
        """How long the file says it is; None where it does not, or is still arriving."""
        if self._is_live:
            return None
        here = self._file.tell()
        declared = declared_seconds(self._file, self._container, self._stream)
        self._file.seek(here)
        return declared

    @property
    def report(self) -> MediaReport:
        """What is known so far; complete once all blocks were taken."""
        return MediaReport(
            seconds=self._given / self._rate,
            complete=self._whole and not self._damaged and not self._filled,
            peak=self._peak,
            damaged_packets=self._damaged,
            filled_seconds=self._filled,
            replaced_samples=self._replaced,
            tags=cleaned_tags(
                all_artists(self._file, self._container.format.name), self._container.metadata, self._stream.metadata
            ),
            chapters=chapters_of(self._container),
        )

    def _check_length(self) -> None:
        """Refuse a file that says it is too long before the work; one that does not say it is read up to the limit."""
        if self._most is None:
            return
        declared, limit = self.declared_seconds, self._most / self._rate
        if declared is not None and declared > limit + TOLERANCE_SECONDS:
            raise _too_long(limit)

    def _tell(self) -> None:
        seconds = self._given / self._rate
        if self._report_seconds is not None and seconds // REPORT_SECONDS > self._reported // REPORT_SECONDS:
            self._reported = seconds
            self._report_seconds(seconds)

    def _chosen_stream(self, container: InputContainer) -> AudioStream:
        streams = container.streams.audio
        if not streams:
            raise MediaError("no_audio", "the file has no audio stream")
        if self._stream_number is None:
            stream = next((one for one in streams if one.disposition & Disposition.default), streams[0])
        elif 0 <= self._stream_number < len(streams):
            stream = streams[self._stream_number]
        else:
            raise OptionError(
                f"stream={self._stream_number}; the file has {len(streams)} audio streams, counted from 0"
            )
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
        mixer: Mixer | None = None
        for planes, rate in self._planes():
            if mixer is None or (mixer.rate, mixer.channels) != (rate, len(planes)):
                yield from self._flushed(mixer, resampler)
                mixer = Mixer(rate, len(planes))
                resampler = None if rate == self._rate else soxr.ResampleStream(
                    rate, self._rate, 1, dtype="float32", quality=QUALITY
                )  # fmt: skip
            mono = mixer.mix(planes)
            yield mono if resampler is None else resampler.resample_chunk(mono)
        yield from self._flushed(mixer, resampler)

    def _flushed(self, mixer: Mixer | None, resampler: Any) -> Iterator[Samples]:
        if mixer is None:
            return
        rest = mixer.flush()
        yield rest if resampler is None else resampler.resample_chunk(rest, last=True)

    def _planes(self) -> Iterator[tuple[NDArray[np.float32], int]]:
        """Yield (samples (channels, n), rate), many frames at once: one by one they cost more than their decoding."""
        fifo, form = AudioFifo(), None
        for frame in self._frames():
            if isinstance(frame, _Silence):
                yield from self._emptied(fifo)
                yield from frame.planes()
                continue
            frame.pts = None  # the FIFO would refuse frames between which time passes
            here = (frame.sample_rate, frame.layout.nb_channels, frame.format.name)
            if here != form:  # a FIFO that is given another kind of frame than its first crashes
                yield from self._emptied(fifo)
                _check(frame.sample_rate, frame.layout.nb_channels)
                fifo, form = AudioFifo(), here
            fifo.write(frame)
            if fifo.samples >= (LIVE_BLOCK_SAMPLES if self._is_live else BLOCK_SAMPLES):
                yield from self._emptied(fifo)
        yield from self._emptied(fifo)

    def _emptied(self, fifo: AudioFifo) -> Iterator[tuple[NDArray[np.float32], int]]:
        frame = fifo.read(0) if fifo.samples else None  # 0: all
        if frame is not None:
            yield self._finite(_planar(frame)), frame.sample_rate

    def _finite(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        self._received += planes.size
        if all(np.dot(plane, plane) < LOUDEST**2 for plane in planes):  # false for NaN; quicker than to look at each
            return planes
        good = np.abs(planes) < LOUDEST
        self._replaced += int(planes.size - np.count_nonzero(good))
        return np.where(good, planes, np.float32(0))

    def _frames(self) -> Iterator[AudioFrame | _Silence]:
        """Yield the frames of the file, or of the links of a chained one: FFmpeg reads on only where they are alike."""
        yield from self._frames_of(self._container, self._stream)
        for link in self._later_links:
            try:
                with open_container(link) as (container, *_):
                    yield from self._frames_of(container, self._chosen_stream(container))
            except MediaError as error:
                if error.code not in LEFT_OUT:
                    raise
                self._damaged += 1

    def _frames_of(self, container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame | _Silence]:
        """Yield decoded frames, with silence where damage took some; a damaged packet is passed over and counted."""
        has_times = container.format.name not in WITHOUT_TIMES
        clock = GapClock(has_times=has_times, time_base=stream.time_base, **_players_clock(container))
        packets = container.demux(stream)
        codec = stream.codec_context.name
        empty = self._empty_chunks(container, stream)
        is_partial = False
        in_a_row = 0
        while in_a_row < MOST_DAMAGED_IN_A_ROW:
            packet = None
            try:
                packet = next(packets, None)
                if packet is None:
                    self._ended, self._last_is_partial = True, is_partial
                    break
                frames = packet.decode()
            except Exception as error:  # FFmpegError, or an IndexError from PyAV on some damaged files
                if isinstance(error, MemoryError) and not isinstance(error, FFmpegError):  # FFmpeg's: a damaged size
                    raise MediaError(
                        "too_large", "it takes more memory than there is", self._given / self._rate
                    ) from error
                self._damaged += 1
                in_a_row += 1
                clock.lost(0 if packet is None else packet.size)
                packets = container.demux(stream)  # one that raised is at its end; the file goes on
                continue
            in_a_row = 0
            if packet.size and is_partial:  # not the last one, then, but damaged
                self._damaged += 1
            is_partial = packet.is_corrupt or (is_partial and not packet.size)
            if not frames:
                continue
            frame = frames[0]
            missing = clock.seconds_missing_before(frame)
            meant = empty.seconds_before(packet.pos, packet.pts, frame.samples / frame.sample_rate) if empty else 0.0
            if missing + meant and self._late + self._filled + missing + meant <= MOST_FILLED_SECONDS:
                self._filled += missing if self._begun else 0.0
                self._late += meant if self._begun else missing + meant
                yield _Silence(missing + meant, frame.sample_rate, frame.layout.nb_channels)
            self._begun = True
            self._damaged += clock.note_packet(packet.size, frames, codec)
            yield from frames

    def _empty_chunks(self, container: InputContainer, stream: AudioStream) -> EmptyChunks | None:
        if container.format.name != "avi" or not stream.time_base:
            return None
        return EmptyChunks(self._file, stream=stream.index, tick_seconds=float(stream.time_base))


@dataclass(frozen=True, slots=True)
class _Silence:
    seconds: float
    sample_rate: int
    channels: int

    def planes(self) -> Iterator[tuple[NDArray[np.float32], int]]:
        missing = round(self.seconds * self.sample_rate)
        for first in range(0, missing, BLOCK_SAMPLES):
            samples = min(BLOCK_SAMPLES, missing - first)
            yield np.zeros((self.channels, samples), np.float32), self.sample_rate


def _planar(frame: AudioFrame) -> NDArray[np.float32]:
    """Return a frame's samples as float32 in [-1, 1], shape (channels, n)."""
    has_many_planes = frame.format.is_planar and frame.layout.nb_channels >= PYAV_PLANE_BUG_CHANNELS
    if has_many_planes or frame.format.name.startswith("s64"):  # PyAV knows no array of 64-bit integers
        (frame,) = AudioResampler(format="flt").resample(frame)
    samples: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    return samples.astype(np.float32, copy=False) if samples.dtype.kind == "f" else scaled(samples)


def _players_clock(container: InputContainer) -> dict[str, float | None]:
    """Return the time stamps at which a player's clock begins, where there are pictures or other sound, and ends."""
    start = (container.start_time or 0) / 1e6
    is_alone = len(container.streams) < 2 or container.start_time is None
    end = None if container.duration is None else start + container.duration / 1e6
    return {"start_seconds": None if is_alone else start, "end_seconds": end}


def _too_long(limit: float, *, read: float = 0.0) -> MediaError:
    return MediaError("too_long", f"longer than {limit:.0f} s; cut it or raise the limit", read)


def _check(rate: int, channels: int) -> None:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise MediaError("unsupported", f"a sample rate of {rate} Hz; {LOWEST_RATE} to {HIGHEST_RATE} Hz can be read")
    if not 1 <= channels <= MOST_CHANNELS:
        raise MediaError("unsupported", f"{channels} channels; up to {MOST_CHANNELS} can be read")
