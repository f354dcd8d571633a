"""From a source to an answer: extraction in a child, a session here, tracks by name."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache, partial
from typing import TypeVar

from earmark.catalog.backend import Backend
from earmark.catalog.calibrations import calibration_for
from earmark.catalog.unpack import unpacked
from earmark.errors import CatalogDamaged, MediaError, TrackNotFound
from earmark.extract.fingerprint import extracted_query
from earmark.extract.protocol import SHORTEST_SECONDS, CloserLook, Extracted, Extractor
from earmark.extract.sources import Source, name_of
from earmark.match.calibration import Calibration
from earmark.match.matcher import Matcher
from earmark.match.passages import Passage
from earmark.match.protocol import Options, Search
from earmark.match.references import CACHE_BYTES, CachedReferences
from earmark.match.session import LONGEST_WHOLE_SECONDS, Session
from earmark.match.trace import best_and_rival, trace_of
from earmark.plan import Plan
from earmark.types import Answer, Explanation, Fingerprint, Match, Trace, Track

MOST_ABSENT = 20  # tracks that an index may name though a catalog has none: removed while a question was answered
CANDIDATES = 3  # that are looked at where an answer is explained
Found = TypeVar("Found")
_ANSWERS = ("too_short", "low_information")  # codes of MediaErrors about a clip that was read


class Unavailable(Exception):  # noqa: N818 - it never leaves this module
    """The index names a track that cannot be had."""

    def __init__(self, number: int, problem: str = "") -> None:
        """`problem`: how it is damaged; nothing where it was removed."""
        super().__init__(f"track number {number}: {problem or 'removed meanwhile'}")
        self.number, self.problem = number, problem


def without_unavailable(ask: Callable[[], Found], leave_out: Callable[[Unavailable], None]) -> Found:
    """Ask, again without each track that turns out to be damaged or gone; raises CatalogDamaged for a wrong index."""
    absent = 0
    while True:
        try:
            return ask()
        except Unavailable as unavailable:
            absent += not unavailable.problem
            if absent > MOST_ABSENT:
                raise CatalogDamaged(
                    f"the index names more than {MOST_ABSENT} tracks that the catalog does not have; "
                    "make it again with `earmark rebuild`"
                ) from unavailable
            leave_out(unavailable)


class Identify:
    """The chain of `identify`; safe to use from several threads."""

    def __init__(self, backend: Backend, extractor: Extractor, *, cache_bytes: int = CACHE_BYTES) -> None:
        """`cache_bytes`: how much memory stored fingerprints may take that are kept for the next question."""
        self._store, self._index, self._extractor = backend.store, backend.index, extractor
        self.fingerprinter = extractor.fingerprinter
        # By name of the index; the catalog's folder may hold a calibration of its own.
        self._calibration_for = cache(partial(calibration_for, self.fingerprinter, folder=backend.path))
        self._references = CachedReferences(self._fingerprints, most_bytes=cache_bytes)

    def answer(self, source: Source, options: Options, *, raises: bool = True) -> Answer:
        """Return what the catalog says of a clip.

        Raises MediaError when it cannot be read as audio; unless `raises`, the error's code is the answer's reason.
        """
        began, matches, detail, complete = time.perf_counter(), list[Match](), "", True
        try:
            with self._extracted(source, options) as (extracted, closer):
                seconds, complete = extracted.seconds, extracted.complete
                matches, reason = self._matches(extracted, options, closer)
        except MediaError as error:
            seconds, reason = error.partial, error.code
            if reason not in _ANSWERS:
                detail = error.detail
                if raises:
                    raise
        answer = self._answer_of(matches, options, name_of(source), seconds, began, reason=reason, detail=detail)
        return replace(answer, complete=complete)

    def explain(self, source: Source, options: Options) -> Explanation:
        """Return what the catalog says of a clip, and what spoke for it; raises MediaError when it cannot be read."""
        began = time.perf_counter()
        try:
            with self._extracted(source, options, is_explained=True) as (extracted, closer):
                heard, reason = extracted.fingerprint, self.unfit(extracted)
                explained = partial(self._explained, heard, options, closer, name_of(source), reason)
                return without_unavailable(explained, self.leave_out)
        except MediaError as error:
            if error.code not in _ANSWERS:
                raise
            answer = self._answer_of((), options, name_of(source), error.partial, began, reason=error.code)
            return Explanation(answer, answer, ())

    def session(self, options: Options, *, follow: bool = False) -> Session:
        """Return a session on the index of this moment, or one that follows what is added and removed meanwhile."""
        present, maker, known = self._present(), self.fingerprinter, self._references
        asked, stored, warped = partial(maker.keys, query=True), maker.keys, maker.warped_keys
        matcher = Matcher(
            maker.plan, self._calibration[0], keys=asked, references=known, stored_keys=stored, warped_keys=warped
        )
        return Session(matcher, self._present if follow else lambda: present, options)

    def heard(self, session: Session, passages: Sequence[Passage], began: float, *, reason: str = "") -> Answer:
        """Return passages of a session that began at a reading of the clock; `reason`: why there can be none."""
        matches = []
        for passage in passages:
            try:
                matches.append(self._match(passage, session.seconds))
            except Unavailable as unavailable:
                self.leave_out(unavailable, session)
        answer = self._answer_of(matches, session.options, "stream", session.seconds, began, reason=reason)
        return replace(answer, expected_false_rate=None)  # every look at a stream is another chance

    def leave_out(self, unavailable: Unavailable, session: Session | None = None) -> None:
        """Search a track that cannot be had no more, and drop what a session found of it."""
        self._index.exclude(unavailable.number, unavailable.problem)
        if session is not None:
            session.forget(unavailable.number)

    def unfit(self, extracted: Extracted) -> str:
        """Return why a clip cannot be looked up, or nothing when it can."""
        if extracted.silent:
            return "silent"
        if extracted.seconds < SHORTEST_SECONDS:
            return "too_short"
        is_informative = self.fingerprinter.is_informative(extracted.fingerprint, query=extracted.is_close)
        return "" if is_informative else "low_information"

    def _extracted(
        self, source: Source, options: Options, *, is_explained: bool = False
    ) -> AbstractContextManager[tuple[Extracted, CloserLook | None]]:
        """Give what is in a source: sequences are laid as closely as clips are, however long."""
        close_seconds = math.inf if options.align else LONGEST_WHOLE_SECONDS
        glance_seconds = _glance_seconds(options, self.fingerprinter.plan, is_explained=is_explained)
        return extracted_query(source, self._extractor, close_seconds=close_seconds, glance_seconds=glance_seconds)

    def _matches(self, extracted: Extracted, options: Options, closer: CloserLook | None) -> tuple[list[Match], str]:
        """Return (what a source holds, why that cannot be said or nothing); asks again without tracks that are gone."""
        if extracted.sound is not None and closer is not None and not extracted.silent:
            glanced = without_unavailable(lambda: self._glanced(extracted.fingerprint, options), self.leave_out)
            if glanced:
                return glanced, ""
            [fingerprint] = closer([(0.0, extracted.seconds)])
            extracted, closer = replace(extracted, fingerprint=fingerprint, is_close=True), None
        heard, reason = extracted.fingerprint, self.unfit(extracted)
        if reason:
            return [], reason
        named = without_unavailable(
            lambda: self._named(self._passages(heard, options, closer), heard.seconds), self.leave_out
        )
        return named, ""

    def _glanced(self, fingerprint: Fingerprint, options: Options) -> list[Match]:
        """Return what a short clip is that was glanced at; nothing where that leaves doubt."""
        session = self.session(options)
        return self._named(session.passages(), fingerprint.seconds) if session.glance(fingerprint) else []

    def _passages(self, fingerprint: Fingerprint, options: Options, closer: CloserLook | None) -> list[Passage]:
        session = self.session(options)
        session.hear(fingerprint, closer=closer)
        return session.passages()

    def _named(self, passages: Sequence[Passage], seconds: float) -> list[Match]:
        return [self._match(one, seconds) for one in passages]

    def _explained(
        self, fingerprint: Fingerprint, options: Options, closer: CloserLook | None, source: str, reason: str
    ) -> Explanation:
        unsure = replace(options, threshold=0.0, limit=CANDIDATES, several=False, places=False)
        found, answers = list[list[Passage]](), list[Answer]()
        for asked in (options, unsure):
            began = time.perf_counter()
            found.append([] if reason else self._passages(fingerprint, asked, closer))
            matches = self._named(found[-1], fingerprint.seconds)
            answers.append(self._answer_of(matches, asked, source, fingerprint.seconds, began, reason=reason))
        traces, matcher = list[Trace](), self.session(options).matcher
        for passages in best_and_rival(matcher, self._present(), unsure, fingerprint, *found):
            trace = trace_of(matcher, fingerprint, passages)
            if trace is not None:
                traces.append(replace(trace, matches=tuple(self._named(passages, fingerprint.seconds))))
        answer, candidates = answers
        return Explanation(answer, candidates, tuple(traces))

    def _match(self, passage: Passage, seconds: float) -> Match:
        """Return a passage of a clip of so many seconds with its track."""
        return _match_of(passage, seconds, self._track)

    def _answer_of(
        self,
        matches: Sequence[Match],
        options: Options,
        source: str,
        seconds: float,
        began: float,
        *,
        reason: str,
        detail: str = "",
    ) -> Answer:
        calibration, is_fitted = self._calibration
        return Answer(
            matches=tuple(matches),
            threshold=_threshold(calibration, options),
            reason="" if matches else reason or "unknown",
            source=source,
            seconds=seconds,
            elapsed=time.perf_counter() - began,
            degraded=self._index.degraded,
            calibrated=is_fitted,
            detail=detail,
            expected_false_rate=_false_rate(calibration, options, seconds) if is_fitted and not detail else None,
        )

    @property
    def threshold(self) -> float:
        """The calibrated threshold."""
        return self._calibration[0].threshold

    @property
    def _calibration(self) -> tuple[Calibration, bool]:
        """The calibration for the index of today, which a writer elsewhere may have made anew as another."""
        return self._calibration_for(self._index.name)

    def _present(self) -> Search:
        """Return the index as it is now, with what a writer elsewhere has changed."""
        self._index.refresh(wait=False)
        return self._index.snapshot()

    def _fingerprints(self, numbers: Sequence[int]) -> Mapping[int, Fingerprint]:
        """Return the stored fingerprints of tracks; raises Unavailable for one that is damaged or gone."""
        stored, found = self._store.fingerprints(numbers), dict[int, Fingerprint]()
        for number in numbers:
            if number not in stored:
                raise Unavailable(number)
            try:
                found[number] = unpacked(self.fingerprinter, number, stored[number])
            except CatalogDamaged as error:
                raise Unavailable(number, str(error)) from error
        return found

    def _track(self, number: int) -> Track:
        try:
            return self._store.recording(number).track
        except TrackNotFound as error:
            raise Unavailable(number) from error
        except CatalogDamaged as error:
            raise Unavailable(number, str(error)) from error


def _threshold(calibration: Calibration, options: Options) -> float:
    return calibration.threshold if options.threshold is None else options.threshold


def _false_rate(calibration: Calibration, options: Options, seconds: float) -> float | None:
    """Return the expected false rate of a clip of so many seconds; none was counted for other than plain questions."""
    threshold = _threshold(calibration, options)
    return calibration.expected_false_rate(seconds, threshold) if options.is_plain else None


def _glance_seconds(options: Options, plan: Plan, *, is_explained: bool) -> float:
    """Return up to which length clips are glanced at: none, where more than what is beyond doubt is asked for."""
    asks_for_more = options.align or options.several or options.places or options.speed or options.closely
    return 0.0 if asks_for_more or is_explained or plan.glance is None else plan.glance.longest_seconds


def _match_of(passage: Passage, seconds: float, track_of: Callable[[int], Track]) -> Match:
    return Match(
        track=track_of(passage.track),
        confidence=passage.confidence,
        query_start=max(passage.query_start, 0.0),
        query_end=min(passage.query_end, seconds),
        reference_start=max(passage.reference_start, 0.0),
        reference_end=passage.reference_end,
        position_error=passage.position_error,
        speed=passage.speed if passage.is_measured else None,
        pitch=passage.pitch if passage.is_measured else None,
        evidence=passage.evidence,
        copies=tuple(track_of(number) for number in sorted(passage.copies)),
    )
