"""From a source to an answer: extraction in a child, identification here, tracks by name."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from earmark.audio.arrays import to_mono
from earmark.catalog.identifying import Found, Identifier, identifier_for
from earmark.catalog.local.live_index import Indexing
from earmark.catalog.names import shown
from earmark.catalog.sqlite.store import Store
from earmark.errors import CatalogDamaged, EarmarkError, MediaError, TrackNotFound
from earmark.extract.pool import Extracted, Extractors, Source, opened, pack_samples
from earmark.types import Answer, Fingerprint, Match, Track

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter

# MediaErrors that are an answer: the clip was read, and nothing can be said of it.
_ANSWERS = ("too_short", "low_information")

SHORTEST_SECONDS = 0.25  # a handful of spectra; what they hold is in any music


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every source alike."""

    threshold: float | None
    limit: int
    several: bool
    speed: bool


class _Lost(Exception):  # noqa: N818 - it never leaves this module
    """The index names a track that cannot be had."""

    def __init__(self, number: int, error: EarmarkError) -> None:
        super().__init__(str(error))
        self.number = number
        self.problem = str(error) if isinstance(error, CatalogDamaged) else ""  # one that was removed is none


class Answering:
    """The chain of `identify`; safe to use from several threads."""

    def __init__(self, store: Store, indexing: Indexing, fingerprinter: Fingerprinter, extractors: Extractors) -> None:
        self._store, self._indexing = store, indexing
        self._fingerprinter, self._extractors = fingerprinter, extractors

    @cached_property
    def _identifier(self) -> Identifier:
        """What identifies clips: made for the first one, since a network is loaded for it that no list needs."""
        return identifier_for(self._fingerprinter, self._reference)

    def answer(self, source: Source, question: Question) -> Answer:
        """Return what the catalog says of a clip; raises MediaError when it cannot be read as audio."""
        began, name = time.perf_counter(), _name(source)
        try:
            extracted = self._extract(source)
        except MediaError as error:
            if error.code not in _ANSWERS:
                raise
            return self._empty(question, error.code, name, error.partial, began)
        reason = self._nothing_to_say(extracted)
        if reason:
            return self._empty(question, reason, name, extracted.seconds, began)
        fingerprint = self._fingerprinter.unpack(extracted.packed)
        return self._answer(fingerprint, question, name, began)

    def answer_or_reason(self, source: Source, question: Question) -> Answer:
        """Return what `answer` does; for what cannot be read, an answer whose reason is the error's code."""
        began = time.perf_counter()
        try:
            return self.answer(source, question)
        except MediaError as error:
            return self._empty(question, error.code, _name(source), error.partial, began)

    def _extract(self, source: Source) -> Extracted:
        if isinstance(source, tuple):
            samples = to_mono(*source, to_rate=self._fingerprinter.rate)
            return pack_samples(samples, self._fingerprinter, query=True)
        with opened(source) as file:
            return self._extractors.extract(file, query=True)

    def _answer(self, fingerprint: Fingerprint, question: Question, name: str, began: float) -> Answer:
        """Identify a fingerprint; a track that turns out to be damaged or gone is left out, and it is asked again."""
        while True:
            try:
                with self._indexing.searching() as index:
                    found = self._identifier.identify(
                        index,
                        fingerprint,
                        threshold=question.threshold,
                        limit=question.limit,
                        several=question.several,
                        speed=question.speed,
                    )
                matches = tuple(self._match(one) for one in found)
            except _Lost as lost:
                self._indexing.forget(lost.number, lost.problem)
                continue
            return Answer(
                matches=matches,
                threshold=self._threshold(question),
                reason="" if matches else "unknown",
                source=name,
                seconds=fingerprint.seconds,
                elapsed=time.perf_counter() - began,
                degraded=self._indexing.degraded,
            )

    def _nothing_to_say(self, extracted: Extracted) -> str:
        """Return why a clip cannot be looked up, or nothing when it can."""
        if extracted.silent:
            return "silent"
        if extracted.seconds < SHORTEST_SECONDS:
            return "too_short"
        return "" if extracted.features >= self._fingerprinter.fewest_features else "low_information"

    def _empty(self, question: Question, reason: str, name: str, seconds: float, began: float) -> Answer:
        threshold, elapsed = self._threshold(question), time.perf_counter() - began
        return Answer((), threshold, reason, name, seconds, elapsed, self._indexing.degraded)

    def _reference(self, number: int) -> Fingerprint:
        try:
            return self._fingerprinter.unpack(self._store.fingerprint(number))
        except (CatalogDamaged, TrackNotFound) as error:
            raise _Lost(number, error) from error

    def _threshold(self, question: Question) -> float:
        return self._identifier.default_threshold if question.threshold is None else question.threshold

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
            raise _Lost(number, error) from error


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
