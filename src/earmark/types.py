"""The values that pass between rooms: frozen, without behaviour but views.

Times that people see are seconds (float64); frames are int32 and stay inside. A name says which.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Frames = NDArray[np.int32]
Codes = NDArray[np.uint32]
Align = Literal["", "edit", "local"]  # fine search by lines, by edit distance or by local alignment of sequences

VECTOR_SCALE = 254.0  # int8 = 254 x component of a vector of length 1; |component| <= 0.5 in practice


@dataclass(frozen=True, slots=True)
class Spec:
    """What shaped a fingerprint: two fingerprints can be compared only when their specs are equal."""

    name: str
    version: int
    digest: str  # digest of every number that shapes features or keys

    def __str__(self) -> str:
        return f"{self.name}/{self.version}/{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Return the spec that `str()` wrote as `text`; raises ValueError when it is none."""
        name, version, digest = text.split("/")
        return cls(name, int(version), digest)


@dataclass(frozen=True, slots=True, eq=False)
class SalienceMap:
    """How much each place of a clip's spectrogram speaks for a peak, in steps of 1/2 neper, two places a byte."""

    packed: NDArray[np.uint8]  # (frames, bins / 2), the lower bin in the lower half byte
    first_bin: int  # bin that column 0 stands for, counted from 0 Hz
    first_frame: int = 0  # frame that row 0 stands for
    hidden: NDArray[np.bool_] | None = None  # (frames, bins from 0 Hz), where other sound is known to cover the clip

    def between(self, first: int, last: int) -> SalienceMap:
        """Return the map of the frames from `first` to before `last`, counted from `first`."""
        rows = slice(max(first - self.first_frame, 0), last - self.first_frame)
        hidden = None if self.hidden is None else self.hidden[rows]
        return SalienceMap(self.packed[rows], self.first_bin, hidden=hidden)

    def unpacked(self) -> NDArray[np.uint8]:
        """Return the whole map, (frames, bins) from 0 Hz."""
        frames, half = self.packed.shape
        places = np.stack([self.packed & 15, self.packed >> 4], axis=2).reshape(frames, 2 * half)
        return np.pad(places, ((0, 0), (self.first_bin, 0)))


@dataclass(frozen=True, slots=True, eq=False)
class CompressedSalience:
    """The salience map of a long clip, which would take 57 MB an hour, in blocks that are unpacked when looked at."""

    blocks: Sequence[bytes | memoryview]  # by zlib, each of `block_frames` frames but the last
    block_frames: int
    width: int  # bytes of a frame
    first_bin: int  # bin that column 0 stands for, counted from 0 Hz

    def between(self, first: int, last: int) -> SalienceMap:
        """Return the map of the frames from `first` to before `last`, counted from `first`."""
        first = max(first, 0)
        begin, end = first // self.block_frames, -(-last // self.block_frames)
        content = b"".join(map(zlib.decompress, self.blocks[begin:end]))
        rows = np.frombuffer(content, np.uint8).reshape(-1, self.width)
        return SalienceMap(rows, self.first_bin, begin * self.block_frames).between(first, last)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Features of one kind, in order of time."""

    frames: Frames  # (n,), not decreasing
    values: NDArray[Any]  # peaks: (n,) bins from 0 Hz; vectors: (n, d) int8, `VECTOR_SCALE` to one; bits: (n, w) uint32
    frame_seconds: float
    weights: Any = None  # of a query only: salience map of peaks, or the least reliable bits of words, (n, k)

    def between(self, start: float, end: float) -> Layer:
        """Return the features that begin between two seconds, their frames counted from the first one."""
        first, last = round(start / self.frame_seconds), round(end / self.frame_seconds)
        frames, values = self.within(first, last)
        weights = self.weights
        if isinstance(weights, SalienceMap | CompressedSalience):
            weights = weights.between(first, last)
        elif weights is not None:
            weights = weights[slice(*np.searchsorted(self.frames, [first, last]))]
        return Layer(frames - np.int32(first), values, self.frame_seconds, weights)

    def within(self, first: float, last: float) -> tuple[Frames, NDArray[Any]]:
        """Return (frames, values) of the features from one frame on to before another."""
        low, high = self.frames.searchsorted([first, last])
        return self.frames[low:high], self.values[low:high]

    def unpacked(self) -> Layer:
        """Return the layer with all its features at hand, where it unpacks them each time."""
        return self

    @property
    def nbytes(self) -> int:
        """How much memory the features take."""
        return self.frames.nbytes + self.values.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """The features of one recording or clip."""

    spec: Spec
    seconds: float  # length of the audio they were taken from
    layers: Mapping[str, Layer]

    def between(self, start: float, end: float) -> Fingerprint:
        """Return the fingerprint of the sound between two seconds."""
        return Fingerprint(
            self.spec, end - start, {name: layer.between(start, end) for name, layer in self.layers.items()}
        )


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """What a channel stores of a recording, or looks up for a clip."""

    frames: Frames  # (n,), of a recording in order
    values: NDArray[Any]  # (n,) codes, or (n, d) vectors


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What an index found: parallel columns, one row a hit."""

    query_frames: Frames
    tracks: Frames  # the catalog's track numbers
    reference_frames: Frames
    scores: NDArray[np.float32]  # how much one hit says; comparable within one index only

    def __len__(self) -> int:
        return len(self.tracks)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named part of a recording, as a cue sheet or a file's chapters give it; it ends where the next one begins."""

    start: float  # seconds
    title: str
    artist: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """A recording that a catalog knows."""

    id: str  # stable across re-indexing
    title: str
    artist: str
    album: str
    path: str  # absolute; of several files that hold it, the one that was added first
    seconds: float
    complete: bool = True  # False when the file broke off or had damaged parts
    added: int = 0  # UTC, nanoseconds since 1970
    tags: Mapping[str, str] = field(default_factory=dict)
    chapters: tuple[Chapter, ...] = ()  # in order of time

    def chapter_at(self, seconds: float) -> Chapter | None:
        """Return the chapter that a second of the recording lies in, or None."""
        return next((one for one in reversed(self.chapters) if one.start <= seconds), None)


@dataclass(frozen=True, slots=True)
class TrackPage:
    """Some tracks of a catalog, in the order they were added, and where the next ones begin."""

    tracks: tuple[Track, ...]
    cursor: str  # what to ask the next page with; '' after the last one


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A part of a track and what belongs to it: a line of lyrics, a slide, a link."""

    start: float  # seconds of the track
    end: float
    payload: Any  # whatever JSON can say


@dataclass(frozen=True, slots=True)
class Match:
    """One place of one track that a clip comes from."""

    track: Track
    confidence: float  # the probability that it is right
    query_start: float
    query_end: float
    reference_start: float
    reference_end: float
    position_error: float  # seconds, about one standard deviation
    speed: float | None  # 1.02: the clip plays 2 % faster than the reference; None where that is not sure
    pitch: float | None  # the clip's frequencies over the reference's; None where that is not sure
    evidence: Mapping[str, float]  # the figures the confidence was made of
    copies: tuple[Track, ...] = ()  # other tracks of the catalog that hold the same sound

    @property
    def rate(self) -> float:
        """Seconds of the reference in a second of the clip, as they were aligned, whether or not that is sure."""
        seconds = self.query_end - self.query_start
        measured = (self.reference_end - self.reference_start) / seconds if seconds > 0 else 1.0
        return measured if self.speed is None else self.speed

    def reference_at(self, query_seconds: float) -> float:
        """Return the second of the reference at a second of the clip, also outside the match."""
        return self.reference_start + self.rate * (query_seconds - self.query_start)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a catalog says of one clip: matches, best first; empty when nothing is known."""

    matches: tuple[Match, ...]
    threshold: float  # the confidence that was asked for
    reason: str  # why there is no match: silent, too_short, low_information, unknown; '' when there is one
    source: str  # what was asked, as it may be shown
    seconds: float  # length of the clip
    elapsed: float  # seconds it took
    degraded: bool = False  # part of the catalog is damaged and was not searched
    calibrated: bool = True  # whether confidences were fitted for this kind of fingerprint and index
    detail: str = ""  # why the clip could not be read, where `reason` is a MediaError's code
    complete: bool = True  # False when the clip broke off or had damaged parts
    # How probable it is, at most, that a clip of this length of which the catalog holds nothing is given a name at this
    # threshold; None where that was not counted.
    expected_false_rate: float | None = None

    @property
    def best(self) -> Match | None:
        """The surest match, or None."""
        return self.matches[0] if self.matches else None


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """How far a clip and one track agree, moment by moment."""

    seconds: NDArray[np.float64]  # (k,) moments of the clip
    agreement: NDArray[np.float32]  # (matches, k), along each match's line, in deviations of chance
    similarity: NDArray[np.float32]  # (n, m), of half a second of the clip and of the track, in deviations of chance
    step_seconds: float  # from one row, and from one column, to the next
    start: float  # second of the clip at which the first row begins
    reference_start: float  # second of the track at which the first column begins
    matches: tuple[Match, ...] = ()  # what was told of the track, or would be first


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """An answer, and what spoke for it."""

    answer: Answer
    candidates: Answer  # what the same clip gets when nothing has to be sure
    traces: tuple[Trace, ...]  # of the best track and of the runner-up


@dataclass(frozen=True, slots=True)
class AddReport:
    """What became of every file that a catalog was asked to add."""

    added: tuple[Track, ...] = ()
    updated: tuple[Track, ...] = ()  # files whose content had changed
    unchanged: tuple[str, ...] = ()  # paths, those of moved files and duplicates too
    failed: tuple[tuple[str, str], ...] = ()  # (path, reason)
    interrupted: bool = False
    skipped: tuple[tuple[str, str], ...] = ()  # (path, reason) of what lies beside the music and is no audio
    moved: tuple[tuple[str, str], ...] = ()  # (path before, path now)
    duplicates: tuple[tuple[str, str], ...] = ()  # (path, path of the track whose file has the same content)
    replaced: tuple[tuple[Track, Track], ...] = ()  # (track before, track now) of a file that was written over
    missing: tuple[Track, ...] = ()  # tracks of the given folders whose files are gone


@dataclass(frozen=True, slots=True)
class SharedRange:
    """A part of one track and the part of another that holds the same sound, in seconds of each."""

    first_start: float
    first_end: float
    second_start: float
    second_end: float

    @property
    def speed(self) -> float:
        """1.02: the first track plays it 2 % faster than the second."""
        return (self.second_end - self.second_start) / max(self.first_end - self.first_start, 1e-9)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two tracks that hold the same recording, or parts of it."""

    first: Track
    second: Track
    relation: str  # same: each holds the other; part: the second holds the first; overlap: each has more of its own
    ranges: tuple[SharedRange, ...]  # longest first
    share: float  # share of the longer track that both hold

    @property
    def speed(self) -> float:
        """1.02: the first track plays 2 % faster than the second, by the longest range."""
        return self.ranges[0].speed


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Tracks that hold mostly the same recording, and excerpts and overlaps of them."""

    tracks: tuple[Track, ...]  # that hold mostly the same recording, longest first
    parts: tuple[Track, ...]  # that hold or share less than half of it
    pairs: tuple[Duplicate, ...]


@dataclass(frozen=True, slots=True)
class RepeatPlace:
    """One place at which something recurs, in seconds."""

    track: Track
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Repeat:
    """Something that recurs in or across recordings: music, a jingle, an advert."""

    seconds: float  # its length, the median of its places
    places: tuple[RepeatPlace, ...]  # in order of track and time
