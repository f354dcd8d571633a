"""From a source to an answer: extraction in a child, a session here, tracks by name."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.catalog.backend import LiveIndex, Store
from earmark.catalog.calibrations import calibration_for
from earmark.catalog.unpack import unpacked
from earmark.errors import CatalogDamaged, EarmarkError, MediaError, OptionError, TrackNotFound
from earmark.extract.fingerprint import extract_samples
from earmark.extract.protocol import Extracted, Extractor
from earmark.extract.sources import Source, name_of, opened
from earmark.match.calibration import Calibration
from earmark.match.matcher import Matcher
from earmark.match.passages import Passage
from earmark.match.protocol import Options, Search
from earmark.match.references import CachedReferences
from earmark.match.session import Session
from earmark.types import Answer, Fingerprint, Match, Track

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter

_ANSWERS = ("too_short", "low_information")  # codes of MediaErrors about a clip that was read
SHORTEST_SECONDS = 0.25  # seconds of a clip; a handful of spectra are in any music


class Unavailable(Exception):  # noqa: N818 - it never leaves this module
    """The index names a track that cannot be had."""

    def __init__(self, number: int, error: EarmarkError) -> None:
        super().__init__(str(error))
        self.number = number
        self.problem = str(error) if isinstance(error, CatalogDamaged) else ""  # one that was removed is none


@dataclass(frozen=True, slots=True)
class _Query:
    """A clip on its way to an answer."""

    name: str
    seconds: float
    began: float  # reading of the clock


class Identify:
    """The chain of `identify`; safe to use from several threads."""

    def __init__(
        self, store: Store, index: LiveIndex, fingerprinter: Fingerprinter, extractor: Extractor, folder: Path
    ) -> None:
        """`folder`: where a calibration of the catalog's own may lie."""
        self._store, self._index, self._folder = store, index, folder
        self.fingerprinter, self._extractor = fingerprinter, extractor
        self._calibrations: dict[str, tuple[Calibration, bool]] = {}  # by name of the index

    def answer(self, source: Source, options: Options) -> Answer:
        """Return what the catalog says of a clip; raises MediaError when it cannot be read as audio."""
        began, name = time.perf_counter(), name_of(source)
        try:
            extracted = self._extract(source)
        except MediaError as error:
            if error.code not in _ANSWERS:
                raise
            return self._empty(options, error.code, _Query(name, error.partial, began))
        query = _Query(name, extracted.seconds, began)
        reason = self._nothing_to_say(extracted)
        return self._empty(options, reason, query) if reason else self._answer(extracted.fingerprint, options, query)

    def answer_or_reason(self, source: Source, options: Options) -> Answer:
        """Return what `answer` does; for what cannot be read, an answer whose reason is the error's code."""
        began = time.perf_counter()
        try:
            return self.answer(source, options)
        except MediaError as error:
            query = _Query(name_of(source), error.partial, began)
            return self._empty(options, error.code, query, detail=error.detail)

    def session(self, options: Options, *, follow: bool = False) -> Session:
        """Return a session on the index of this moment, or one that follows what is added and removed meanwhile."""
        self._index.refresh(wait=False)
        present = self._index.snapshot()
        maker = self.fingerprinter
        keys = partial(maker.keys, query=True)
        matcher = Matcher(
            maker.plan,
            self._calibration[0],
            keys=keys,
            references=self._references,
            warped_keys=maker.warped_keys,
        )
        return Session(matcher, self._followed if follow else lambda: present, options)

    def heard(self, session: Session, passages: Sequence[Passage], began: float) -> Answer:
        """Return passages of a session as an answer; it listens since a reading of the clock."""
        matches = []
        for passage in passages:
            try:
                matches.append(self.match(passage, session.seconds))
            except Unavailable as unavailable:
                self.leave_out(unavailable)
                session.forget(unavailable.number)
        reason = "" if matches else "unknown"
        return self._answer_of(session.options, _Query("stream", session.seconds, began), tuple(matches), reason=reason)

    def nothing_heard(self, options: Options, extracted: Extracted, began: float) -> Answer:
        """Return the answer for a stream that has ended and in which nothing was found."""
        reason = self._nothing_to_say(extracted) or "unknown"
        return self._empty(options, reason, _Query("stream", extracted.seconds, began))

    def leave_out(self, unavailable: Unavailable) -> None:
        """Search a track that cannot be had no more."""
        self._index.exclude(unavailable.number, unavailable.problem)

    def match(self, passage: Passage, seconds: float) -> Match:
        """Return a passage of a clip of so many seconds with its track."""
        return Match(
            track=self._track(passage.track),
            confidence=passage.confidence,
            query_start=max(passage.query_start, 0.0),
            query_end=min(passage.query_end, seconds),
            reference_start=max(passage.reference_start, 0.0),
            reference_end=passage.reference_end,
            position_error=passage.position_error,
            speed=passage.speed if passage.is_measured else None,
            pitch=passage.pitch if passage.is_measured else None,
            evidence=passage.evidence,
        )

    def _extract(self, source: Source) -> Extracted:
        maker = self.fingerprinter
        if isinstance(source, Fingerprint):
            maker.check(source.spec)
            try:
                maker.keys(source, query=True)
                features = maker.features_in(source)
            except KeyError as error:
                raise OptionError(f"a fingerprint without layer {error}; make it with earmark.fingerprint") from error
            return Extracted(source, b"", source.seconds, complete=True, silent=False, features=features)
        if isinstance(source, tuple):
            return extract_samples(*source, maker, query=True)
        with opened(source, self._extractor.limits) as file:
            return self._extractor.extract(file, query=True)

    def _answer(self, fingerprint: Fingerprint, options: Options, query: _Query) -> Answer:
        """Identify a fingerprint; a track that turns out to be damaged or gone is left out, and it is asked again."""
        while True:
            session = self.session(options)
            try:
                session.hear(fingerprint)
                matches = tuple(self.match(passage, fingerprint.seconds) for passage in session.passages())
            except Unavailable as unavailable:
                self.leave_out(unavailable)
                continue
            return self._answer_of(options, query, matches, reason="" if matches else "unknown")

    def _empty(self, options: Options, reason: str, query: _Query, *, detail: str = "") -> Answer:
        return self._answer_of(options, query, (), reason=reason, detail=detail)

    def _answer_of(
        self, options: Options, query: _Query, matches: tuple[Match, ...], *, reason: str, detail: str = ""
    ) -> Answer:
        calibration, is_fitted = self._calibration
        return Answer(
            matches=matches,
            threshold=calibration.threshold if options.threshold is None else options.threshold,
            reason=reason,
            source=query.name,
            seconds=query.seconds,
            elapsed=time.perf_counter() - query.began,
            degraded=self._index.degraded,
            calibrated=is_fitted,
            detail=detail,
        )

    def _nothing_to_say(self, extracted: Extracted) -> str:
        """Return why a clip cannot be looked up, or nothing when it can."""
        if extracted.silent:
            return "silent"
        if extracted.seconds < SHORTEST_SECONDS:
            return "too_short"
        return "" if extracted.features >= self.fingerprinter.min_features else "low_information"

    @property
    def _calibration(self) -> tuple[Calibration, bool]:
        """The calibration for the index of today, which a writer elsewhere may have made anew as another."""
        name = self._index.name
        known = self._calibrations.get(name)
        if known is None:
            known = self._calibrations[name] = calibration_for(self.fingerprinter, name, self._folder)
        return known

    @cached_property
    def _references(self) -> CachedReferences:
        return CachedReferences(self._fingerprints)

    def _followed(self) -> Search:
        self._index.refresh(wait=False)
        return self._index.snapshot()

    def _fingerprints(self, numbers: Sequence[int]) -> Mapping[int, Fingerprint]:
        """Return the stored fingerprints of tracks; raises Unavailable for one that is damaged or gone."""
        stored, found = self._store.fingerprints(numbers), dict[int, Fingerprint]()
        for number in numbers:
            packed = stored.get(number)
            if packed is None:
                raise Unavailable(number, TrackNotFound(f"no track has the number {number}; it was removed meanwhile"))
            try:
                found[number] = unpacked(self.fingerprinter, number, packed)
            except CatalogDamaged as error:
                raise Unavailable(number, error) from error
        return found

    def _track(self, number: int) -> Track:
        try:
            return self._store.recording(number).track
        except (CatalogDamaged, TrackNotFound) as error:
            raise Unavailable(number, error) from error
