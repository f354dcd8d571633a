"""From a source to an answer: extraction in a child, identification here, tracks by name."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from earmark.audio.arrays import from_samples
from earmark.catalog.backend import LiveIndex, Store
from earmark.catalog.identifying import Found, Identifier, identifier_for
from earmark.catalog.names import shown
from earmark.errors import CatalogDamaged, EarmarkError, MediaError, TrackNotFound
from earmark.extract.pool import Extracted, Extractors, Source, opened, pack_samples
from earmark.types import Answer, Fingerprint, Match, Track

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter

_ANSWERS = ("too_short", "low_information")  # codes of MediaErrors about a clip that was read
SHORTEST_SECONDS = 0.25  # seconds; a handful of spectra, which are in any music


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of every source alike."""

    threshold: float | None
    limit: int
    several: bool
    speed: bool


class Unavailable(Exception):  # noqa: N818 - it never leaves this module
    """The index names a track that cannot be had."""

    def __init__(self, number: int, error: EarmarkError) -> None:
        super().__init__(str(error))
        self.number = number
        self.problem = str(error) if isinstance(error, CatalogDamaged) else ""  # one that was removed is none


class Identify:
    """The chain of `identify`; safe to use from several threads."""

    def __init__(self, store: Store, index: LiveIndex, fingerprinter: Fingerprinter, extractors: Extractors) -> None:
        self._store, self._index = store, index
        self._fingerprinter, self._extractors = fingerprinter, extractors

    @cached_property
    def _identifier(self) -> Identifier:
        """What identifies clips: made for the first one, since a network is loaded for it that no list needs."""
        return identifier_for(self._fingerprinter, self._reference)

    def answer(self, source: Source, options: Options) -> Answer:
        """Return what the catalog says of a clip; raises MediaError when it cannot be read as audio."""
        began, name = time.perf_counter(), _name(source)
        try:
            extracted = self._extract(source)
        except MediaError as error:
            if error.code not in _ANSWERS:
                raise
            return self._empty(options, error.code, name, error.partial, began)
        reason = self._nothing_to_say(extracted)
        if reason:
            return self._empty(options, reason, name, extracted.seconds, began)
        fingerprint = self._fingerprinter.unpack(extracted.packed)
        return self._answer(fingerprint, options, name, began)

    def answer_or_reason(self, source: Source, options: Options) -> Answer:
        """Return what `answer` does; for what cannot be read, an answer whose reason is the error's code."""
        began = time.perf_counter()
        try:
            return self.answer(source, options)
        except MediaError as error:
            return self._empty(options, error.code, _name(source), error.partial, began)

    def _extract(self, source: Source) -> Extracted:
        if isinstance(source, tuple):
            samples = from_samples(*source, to_rate=self._fingerprinter.rate)
            return pack_samples(samples, self._fingerprinter, query=True)
        with opened(source) as file:
            return self._extractors.extract(file, query=True)

    def _answer(self, fingerprint: Fingerprint, options: Options, name: str, began: float) -> Answer:
        """Identify a fingerprint; a track that turns out to be damaged or gone is left out, and it is asked again."""
        self._index.refresh(wait=False)
        while True:
            try:
                found = self._identifier.identify(
                    self._index.snapshot(),
                    fingerprint,
                    threshold=options.threshold,
                    limit=options.limit,
                    several=options.several,
                    speed=options.speed,
                )
                matches = tuple(self._match(one) for one in found)
            except Unavailable as unavailable:
                self._index.exclude(unavailable.number, unavailable.problem)
                continue
            return Answer(
                matches=matches,
                threshold=self._threshold(options),
                reason="" if matches else "unknown",
                source=name,
                seconds=fingerprint.seconds,
                elapsed=time.perf_counter() - began,
                degraded=self._index.degraded,
            )

    def _nothing_to_say(self, extracted: Extracted) -> str:
        """Return why a clip cannot be looked up, or nothing when it can."""
        if extracted.silent:
            return "silent"
        if extracted.seconds < SHORTEST_SECONDS:
            return "too_short"
        return "" if extracted.features >= self._fingerprinter.fewest_features else "low_information"

    def _empty(self, options: Options, reason: str, name: str, seconds: float, began: float) -> Answer:
        threshold, elapsed = self._threshold(options), time.perf_counter() - began
        return Answer((), threshold, reason, name, seconds, elapsed, self._index.degraded)

    def _reference(self, number: int) -> Fingerprint:
        packed = self._store.fingerprints([number]).get(number)
        if packed is None:
            raise Unavailable(number, TrackNotFound(f"no track has the number {number}; it was removed meanwhile"))
        if isinstance(packed, CatalogDamaged):
            raise Unavailable(number, packed)
        return self._fingerprinter.unpack(packed)

    def _threshold(self, options: Options) -> float:
        return self._identifier.default_threshold if options.threshold is None else options.threshold

    def _match(self, found: Found) -> Match:
        return Match(
            track=self._track(found.track),
            confidence=found.confidence,
            query_start=found.query_start,
            query_end=found.query_end,
            reference_start=found.reference_start,
            reference_end=found.reference_end,
            position_error=found.position_error,
            speed=found.speed,
            pitch=found.pitch,
            evidence=found.evidence,
        )

    def _track(self, number: int) -> Track:
        try:
            return self._store.recording(number).track
        except (CatalogDamaged, TrackNotFound) as error:
            raise Unavailable(number, error) from error


def _name(source: Source) -> str:
    """Return what stands for a source in an answer, safe to print."""
    if isinstance(source, str | os.PathLike):
        return shown(source)
    if isinstance(source, tuple):
        return "samples"
    if isinstance(source, bytes | bytearray | memoryview):
        return f"{len(source)} bytes"
    name = getattr(source, "name", "stream")
    return shown(name) if isinstance(name, str) else "stream"
