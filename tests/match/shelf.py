"""Recordings by number in an index in memory, with what identifies clips of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

import earmark.fingerprints
from earmark.fingerprints.protocol import Fingerprinter
from earmark.match.calibration import Calibration, choose
from earmark.match.matcher import Matcher
from earmark.match.passages import Passage
from earmark.match.protocol import Options
from earmark.match.references import CachedReferences
from earmark.match.session import Session
from earmark.plan import Plan
from earmark.types import VECTOR_SCALE, Fingerprint, Hits, Keys

CALIBRATIONS = {
    path.stem: msgspec.json.decode(path.read_bytes(), type=Calibration)
    for path in sorted((Path(earmark.fingerprints.__file__).parent / "calibrations").glob("*.json"))
}

Read = Callable[[Sequence[int]], Mapping[int, Fingerprint]]


class MemorySearch:
    """An exact index of some channels; implements `Search`."""

    def __init__(self, plan: Plan, channels: Sequence[str] | None = None) -> None:
        known = {one.name: one for one in plan.channels}
        self._metrics = {name: known[name].metric for name in channels or known}
        self._stored: dict[str, list[tuple[int, Keys]]] = {name: [] for name in self._metrics}
        self.asked: list[str] = []  # the channels that were searched

    @property
    def channels(self) -> frozenset[str]:
        return frozenset(self._metrics)

    def add(
        self, track: int, keys: Mapping[str, Keys], where: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> None:
        """Store a track's keys, or those whose frames are chosen by `where`."""
        for name in self._metrics:
            frames, values = keys[name].frames, keys[name].values
            kept = np.ones(len(frames), bool) if where is None else where(frames)
            self._stored[name].append((track, Keys(frames[kept], values[kept])))

    def search(self, channel: str, keys: Keys, *, nearest: int = 20) -> Hits:
        self.asked.append(channel)
        stored = self._stored[channel]
        empty = np.zeros(0, np.int32)
        if not stored or not len(keys.frames):
            return Hits(empty, empty, empty, np.zeros(0, np.float32))
        tracks = np.repeat([track for track, _ in stored], [len(one.frames) for _, one in stored]).astype(np.int32)
        frames = np.concatenate([one.frames for _, one in stored])
        values = np.concatenate([one.values for _, one in stored])
        if self._metrics[channel] == "equal":
            order = np.argsort(values, kind="stable")
            low, high = (np.searchsorted(values[order], keys.values, side) for side in ("left", "right"))
            counts = high - low
            places = np.arange(counts.sum()) + np.repeat(low - np.cumsum(counts) + counts, counts)
            rows, scores = order[places], np.ones(counts.sum(), np.float32)
            return Hits(np.repeat(keys.frames, counts), tracks[rows], frames[rows], scores)
        products = keys.values.astype(np.float32) @ values.astype(np.float32).T / np.float32(VECTOR_SCALE**2)
        best = np.argsort(-products, axis=1, kind="stable")[:, :nearest]
        scores = np.take_along_axis(products, best, axis=1).ravel()
        return Hits(np.repeat(keys.frames, best.shape[1]), tracks[best].ravel(), frames[best].ravel(), scores)


@dataclass(frozen=True)
class Shelf:
    """Recordings and what is known of them."""

    maker: Fingerprinter
    sounds: Sequence[np.ndarray]
    index: MemorySearch
    fingerprints: Mapping[int, Fingerprint]
    plan: Plan

    @property
    def has_peaks(self) -> bool:
        return len(self.plan.compare) > 1

    @property
    def calibration(self) -> Calibration:
        alone = {"neural": "auto"}.get(self.maker.spec.name, "postings")
        index = "both" if len(self.plan.channels) > 1 else alone
        found, is_its_own = choose(
            CALIBRATIONS.values(), spec=str(self.maker.spec), plan=self.maker.plan.digest, index=index
        )
        assert is_its_own
        return found

    @property
    def threshold(self) -> float:
        return self.calibration.threshold

    def asked(self, clip: np.ndarray) -> Fingerprint:
        return self.maker.extract(clip.astype(np.float32), query=True)

    def read(self, tracks: Sequence[int]) -> Mapping[int, Fingerprint]:
        return {track: self.fingerprints[track] for track in tracks}

    def matcher(self, read: Read | None = None) -> Matcher:
        return Matcher(
            self.plan,
            self.calibration,
            keys=lambda fingerprint: self.maker.keys(fingerprint, query=True),
            references=CachedReferences(read or self.read),
            stored_keys=self.maker.keys,
            warped_keys=self.maker.warped_keys,
        )

    def session(self, *, matcher: Matcher | None = None, **options: object) -> Session:
        wanted = Options(**{"threshold": 0.0, **options})  # type: ignore[arg-type]
        return Session(matcher or self.matcher(), lambda: self.index, wanted)

    def identify(self, fingerprint: Fingerprint, *, matcher: Matcher | None = None, **options: object) -> list[Passage]:
        """Return what a fingerprint heard at once comes from, however unsure."""
        session = self.session(matcher=matcher, **options)
        session.hear(fingerprint)
        return session.passages()

    def ask(self, clip: np.ndarray, *, matcher: Matcher | None = None, **options: object) -> list[Passage]:
        return self.identify(self.asked(clip), matcher=matcher, **options)

    def with_index(self, index: MemorySearch) -> Shelf:
        return replace(self, index=index)


def shelf_of(maker: Fingerprinter, sounds: Sequence[np.ndarray], *, channels: Sequence[str] | None = None) -> Shelf:
    """Return a shelf of recordings, whose fingerprints were packed as a catalog packs them."""
    fingerprints = {
        number: maker.unpack(maker.pack(maker.extract(sound.astype(np.float32)))) for number, sound in enumerate(sounds)
    }
    return shelf_with(maker, sounds, fingerprints, channels=channels)


def shelf_with(
    maker: Fingerprinter,
    sounds: Sequence[np.ndarray],
    fingerprints: Mapping[int, Fingerprint],
    *,
    channels: Sequence[str] | None = None,
) -> Shelf:
    """Return a shelf of recordings whose fingerprints are known."""
    index = MemorySearch(maker.plan, channels)
    for number, fingerprint in fingerprints.items():
        index.add(number, maker.keys(fingerprint))
    return Shelf(maker, sounds, index, fingerprints, maker.plan)


def cut(sound: np.ndarray, start: float, seconds: float, *, rate: int = 8_000) -> np.ndarray:
    return sound[round(start * rate) : round((start + seconds) * rate)]


def with_noise(sound: np.ndarray, decibels: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=len(sound))
    return sound + noise * np.sqrt(np.mean(sound**2) / 10 ** (decibels / 10))
