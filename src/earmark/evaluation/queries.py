"""Clips to ask for: cut from a folder of music and distorted over a grid, or as they lie in a folder of clips.

The same places serve every condition, so that conditions are compared on the same music; everything is drawn from one
seed. Starts are drawn to the sample, never on a grid that a fingerprint's frames might share.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np

from earmark import distort
from earmark.audio.decode import load
from earmark.distort.codecs import transcode
from earmark.distort.timing import change_speed, change_tempo, slice_padded
from earmark.errors import MediaError, OptionError
from earmark.evaluation.tables import read_table
from earmark.types import Samples

RATE = 16_000  # Hz; fingerprints look below 8 kHz
HISTORY_SECONDS = 1.0  # seconds of music before a clip, which a room still remembers
SILENT_DECIBELS = -45.0  # dB re full scale; a clip with a softer second is not asked for
TRIES = 50  # places drawn in a recording to find one without silence
KEPT_RECORDINGS = 8  # decoded recordings in memory; queries come in order of recordings within a condition

EFFECTS = ("none", "mp3", "opus", "telephone", "compressed", "clipped")
# A change of speed with pitch, of speed alone or of pitch alone, by a percentage, as "tempo-15".
PLAYED = re.compile(r"(speed|tempo|pitch)([+-]\d+)")
# Speech over music, by the ratio of the music to the voice in decibels, as "speech-5".
SPOKEN = re.compile(r"speech(-?\d+)")
LOUDEST_SPEECH = 30  # dB by which speech and music differ at most, either way
MOST_PERCENT = 30  # per cent by which speed, tempo or pitch change at most
LONGEST_T60_SECONDS = 10.0  # reverberation time of the largest rooms, as cathedrals
LOUDEST_NOISE = 100.0  # dB by which signal and noise differ at most, either way
COLUMNS = ("clip_id", "path", "condition", "seconds", "track_id", "start", "speed")  # columns of queries.csv
BITS_A_SECOND = {"mp3": 64_000, "opus": 24_000}


@dataclass(frozen=True, slots=True)
class Condition:
    """What happens to a clip: effect, then room, then noise; codecs come last."""

    snr_decibels: float | None = None  # None: no noise
    t60_seconds: float = 0.0  # 0: no room
    effect: str = "none"

    def __post_init__(self) -> None:
        played = PLAYED.fullmatch(self.effect)
        is_played = played and abs(int(played[2])) <= MOST_PERCENT
        is_spoken = self.speech_decibels is not None and abs(self.speech_decibels) <= LOUDEST_SPEECH
        if self.effect not in EFFECTS and not is_played and not is_spoken:
            raise OptionError(
                f"effect {self.effect!r}; give one of {', '.join(EFFECTS)}, "
                f"speed, tempo or pitch with a change of up to {MOST_PERCENT} %, as tempo-15, "
                "or speech with the music's decibels over the voice, as speech-5"
            )

    def __str__(self) -> str:
        parts = [self.effect] if self.effect != "none" else []
        parts += [f"t60={self.t60_seconds:g}"] if self.t60_seconds else []
        parts += [f"snr={self.snr_decibels:g}"] if self.snr_decibels is not None else []
        return " ".join(parts) or "clean"

    @property
    def speech_decibels(self) -> float | None:
        """How much louder the music is than speech laid over it; None without speech."""
        spoken = SPOKEN.fullmatch(self.effect)
        return float(spoken[1]) if spoken else None

    @property
    def speed(self) -> float:
        """Seconds of the recording in a second of the clip."""
        return self._factor("speed", "tempo")

    @property
    def pitch(self) -> float:
        """Frequencies of the clip over the recording's."""
        return self._factor("speed", "pitch")

    def _factor(self, *changes: str) -> float:
        played = PLAYED.fullmatch(self.effect)
        return 1 + int(played[2]) / 100 if played and played[1] in changes else 1.0


@dataclass(frozen=True, slots=True)
class Query:
    """A clip, and what is true of it."""

    id: str
    condition: str
    seconds: float
    track: str | None  # None: it is from nothing that the catalog knows
    start: float  # second of the recording at which it begins
    speed: float
    snr_decibels: float | None  # None: without noise
    path: Path  # the clip, or the recording to cut it from
    distortion: Condition | None = None  # None: `path` is the clip itself
    seed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    """Every combination is one condition."""

    snr_decibels: tuple[float | None, ...] = (None, 10.0, 5.0, 0.0)
    t60_seconds: tuple[float, ...] = (0.0, 0.5)
    seconds: tuple[float, ...] = (1.0, 2.0, 5.0)
    effects: tuple[str, ...] = ("none",)

    def __post_init__(self) -> None:
        for seconds in self.seconds:
            if not 0 < seconds < math.inf:
                raise OptionError(f"clips of {seconds:g} s; give a length above 0")
        for t60 in self.t60_seconds:
            if not 0 <= t60 <= LONGEST_T60_SECONDS:
                raise OptionError(f"a room of T60 {t60:g} s; give 0, for none, to {LONGEST_T60_SECONDS:g} s")
        for snr in self.snr_decibels:
            if snr is not None and not abs(snr) <= LOUDEST_NOISE:
                raise OptionError(f"noise of {snr:g} dB; give {-LOUDEST_NOISE:g} to {LOUDEST_NOISE:g} dB, or none")

    def conditions(self) -> list[tuple[Condition, float]]:
        """Return (condition, seconds of a clip) for all of it."""
        combined = product(self.effects, self.t60_seconds, self.snr_decibels, self.seconds)
        return [(Condition(snr, t60, effect), seconds) for effect, t60, snr, seconds in combined]


def from_music(
    known: Sequence[tuple[str, Path]], unknown: Sequence[tuple[str, Path]], grid: Grid, *, count: int, seed: int
) -> list[Query]:
    """Return `count` queries a condition from recordings, as (track, path), and as many from unknown ones."""
    if count < 1 or seed < 0:
        raise OptionError(f"count={count}, seed={seed}; give a count of 1 or more, and a seed of 0 or more")
    conditions = grid.conditions()
    longest = max(grid.seconds) * max(1.1, *(condition.speed for condition, _ in conditions))
    queries: list[Query] = []
    for kind, recordings in enumerate((known, unknown)):
        places = _places(recordings, count, longest, np.random.default_rng([seed, kind])) if recordings else []
        for number, (track, path, start) in enumerate(places):  # place by place: a recording is read once
            for rank, (condition, seconds) in enumerate(conditions):
                label = f"unknown, {condition}" if kind else str(condition)
                query = Query(
                    id=f"{label}@{seconds:g}/{number:04d}",
                    condition=label,
                    seconds=seconds,
                    track=None if kind else track,
                    start=start,
                    speed=condition.speed,
                    snr_decibels=condition.snr_decibels,
                    path=path,
                    distortion=condition,
                    seed=(seed, kind, rank, number),
                )
                queries.append(query)
    return queries


def from_clips(folder: Path, only: Sequence[str] | None = None) -> list[Query]:
    """Return the queries of a folder with `queries.csv`: clip_id, path, condition, seconds, track_id, start, speed.

    A clip without track_id is from something that the catalog does not know. `only` names the conditions that are
    wanted, as "noise0@5". Raises OptionError for another table, and for a clip that is not there.
    """
    table, queries = folder / "queries.csv", dict[str, Query]()
    for number, row in enumerate(read_table(table, COLUMNS), start=2):  # the first line names the columns
        try:
            query = _from_row(folder, row)
        except ValueError as error:
            raise OptionError(f"{table}, row {number}: {error}; see docs/evaluation.md") from error
        if query.id in queries:
            raise OptionError(f"{table}, row {number}: the clip_id {query.id!r} is there twice; give each its own")
        queries[query.id] = query
    wanted = select(list(queries.values()), only) if only else list(queries.values())
    gone = [query for query in wanted if not query.path.is_file()]
    if gone:
        raise OptionError(f"{table} names {gone[0].path}, which is not there; give paths from the table's folder on")
    return wanted


def select(queries: Sequence[Query], only: Sequence[str]) -> list[Query]:
    """Return the queries of the conditions that `only` names, as "noise0@5"; raises OptionError when there are none."""
    selected = [query for query in queries if f"{query.condition}@{query.seconds:g}" in only]
    if not selected:
        raise OptionError(f"{','.join(only)} names no condition of these clips; see their table")
    return selected


def _from_row(folder: Path, row: dict[str, str]) -> Query:
    noise = re.fullmatch(r"(?:noise|nrev|negnoise)(-?\d+)", row["condition"])
    return Query(
        row["clip_id"],
        row["condition"],
        _number(row, "seconds", above=0),
        row["track_id"] or None,
        _number(row, "start", default=0),
        _number(row, "speed", default=1, above=0),
        float(noise[1]) if noise else None,
        folder / row["path"],
    )


def _number(row: dict[str, str], name: str, *, default: float | None = None, above: float = -math.inf) -> float:
    """Return a cell as a number, `default` for an empty one; raises ValueError that names the column."""
    if not row[name] and default is not None:
        return default
    try:
        value = float(row[name])
    except ValueError:
        value = math.nan
    if not above < value < math.inf:
        raise ValueError(f"{name} is {row[name]!r}, which is no number{'' if above < 0 else f' above {above:g}'}")
    return value


class ClipMaker:
    """Makes the sound of queries; keeps the recordings it read last."""

    def __init__(self, noises: Sequence[Path] = (), *, speech: Sequence[Path] = ()) -> None:
        """`noises` are recordings of noise; without any, noise is made that falls by 3 dB an octave.

        `speech` are recordings of voices, which conditions with speech need.
        """
        self._noises, self._speech = noises, speech
        self._recording = lru_cache(maxsize=KEPT_RECORDINGS)(_loaded)
        self._noise = lru_cache(maxsize=KEPT_RECORDINGS)(_loaded)

    def __call__(self, query: Query) -> tuple[Samples, int] | str:
        """Return (samples, rate) of a query, or the path of one that lies in a file."""
        if query.distortion is None:
            return str(query.path)
        draw = np.random.default_rng(query.seed)
        length, history = round(query.seconds * RATE), round(HISTORY_SECONDS * RATE)
        first = round(query.start * RATE)
        needed = round((length + history) * query.speed)
        before = round(history * query.speed)
        clip = slice_padded(self._recording(query.path), first - before, needed)
        heard = self._distorted(clip, query.distortion, length, history, draw)
        return _after_microphone(heard, query.distortion.effect), RATE

    def _distorted(
        self, clip: Samples, condition: Condition, length: int, history: int, draw: np.random.Generator
    ) -> Samples:
        if condition.pitch != 1:
            clip = change_speed(clip, condition.pitch)
        if condition.speed != condition.pitch:
            clip = change_tempo(clip, condition.speed / condition.pitch, rate=RATE)
        if condition.speech_decibels is not None:
            clip = distort.add_speech(clip, self._voice(len(clip), draw), condition.speech_decibels, rate=RATE)
        if condition.t60_seconds:
            response = distort.room_response(condition.t60_seconds, rate=RATE, generator=draw)
            clip = distort.reverberate(clip, response, history=history)
        else:
            clip = clip[history:]
        clip = slice_padded(clip, 0, length)
        if condition.snr_decibels is not None:
            clip = distort.add_noise(clip, self._background(length, draw), condition.snr_decibels, rate=RATE)
        peak = float(np.abs(clip).max())
        return clip * np.float32(10 ** draw.uniform(-0.6, -0.05) / peak) if peak > 0 else clip

    def _voice(self, length: int, draw: np.random.Generator) -> Samples:
        if not self._speech:
            raise OptionError("speech over music needs recordings of speech; give a folder of some with --speech")
        return self._wrapped(self._speech, length, draw)

    def _background(self, length: int, draw: np.random.Generator) -> Samples:
        if not self._noises:
            return distort.coloured_noise(length, rate=RATE, slope_decibels=-3, generator=draw)
        return self._wrapped(self._noises, length, draw)

    def _wrapped(self, paths: Sequence[Path], length: int, draw: np.random.Generator) -> Samples:
        """Return so many samples of one of the recordings, from any place on; it begins anew where it ends."""
        recording = self._noise(paths[int(draw.integers(len(paths)))])
        start = int(draw.integers(len(recording)))
        return np.take(recording, np.arange(start, start + length), mode="wrap")


def _after_microphone(clip: Samples, effect: str) -> Samples:
    """Return a clip through what stands behind the microphone."""
    if effect in BITS_A_SECOND:
        return transcode(clip, effect, rate=RATE, bit_rate=BITS_A_SECOND[effect])
    if effect == "telephone":
        band = distort.low_pass(distort.high_pass(clip, 300, rate=RATE, order=4), 3_400, rate=RATE, order=4)
        return transcode(band, "mulaw", rate=RATE)
    if effect == "compressed":
        return distort.compress(clip, 8, rate=RATE)
    if effect == "clipped":
        return distort.clip_peaks(clip, 15)
    return clip


def _places(
    recordings: Sequence[tuple[str, Path]], count: int, seconds: float, draw: np.random.Generator
) -> list[tuple[str, Path, float]]:
    """Return `count` places without silence, as (track, path, start), sorted by recording; recordings take turns."""
    places: list[tuple[str, Path, float]] = []
    unread: dict[Path, MediaError] = {}
    order: Iterator[int] = iter(())
    misses = 0
    while len(places) < count:
        number = next(order, None)
        if number is None:
            order = iter(draw.permutation(len(recordings)).tolist())
            continue
        track, path = recordings[number]
        try:
            start = None if path in unread else _loud_start(path, seconds, draw)
        except MediaError as error:
            unread[path], start = error, None
        misses = misses + 1 if start is None else 0
        if misses >= len(recordings):
            raise _no_place(recordings, seconds, unread)
        if start is not None:
            places.append((track, path, start))
    return sorted(places)


def _no_place(recordings: Sequence[object], seconds: float, unread: Mapping[Path, MediaError]) -> OptionError:
    """Return why no clip can be cut: recordings cannot be read, or are too short or silent."""
    if len(unread) == len(recordings):
        path, error = next(iter(unread.items()))
        return OptionError(f"no recording can be read, as {path} ({error.code}: {error.detail}); give others")
    return OptionError(
        f"no recording has {seconds:.1f} s without silence after its first second, as the longest clips need with "
        "what a change of speed takes; give longer music or shorter clips"
    )


def _loud_start(path: Path, seconds: float, draw: np.random.Generator) -> float | None:
    """Return the start, in seconds, of a passage in which every second is louder than -45 dB, at least 1 s in."""
    audio = _cached(path)
    length, earliest = round(seconds * RATE), round(HISTORY_SECONDS * RATE)
    for _ in range(TRIES if len(audio) > length + earliest else 0):
        start = int(draw.integers(earliest, len(audio) - length))
        pieces = np.array_split(audio[start : start + length], max(int(seconds), 1))
        if all(np.mean(piece**2) > 10 ** (SILENT_DECIBELS / 10) for piece in pieces):
            return start / RATE
    return None


def _loaded(path: Path) -> Samples:
    return load(path, rate=RATE)[0]


_cached = lru_cache(maxsize=KEPT_RECORDINGS)(_loaded)
