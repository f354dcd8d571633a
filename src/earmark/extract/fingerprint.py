"""What is in one source, whatever it is: the one door for sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from earmark.audio.arrays import to_mono
from earmark.errors import MediaError, OptionError
from earmark.extract.parts import fingerprint_of_query, fingerprints_of_parts
from earmark.extract.pool import ExtractorPool
from earmark.extract.protocol import SILENCE_PEAK, CloserLook, Extracted, Extractor, Span
from earmark.extract.sources import Source, name_of, opened, samples_of
from earmark.types import Fingerprint, Samples

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter


def fingerprint_of(source: Source, name: str, preset: Mapping[str, Any], *, query: bool) -> Fingerprint:
    """Return the fingerprint of a source by a fingerprinter's name and settings; `earmark.fingerprint` says more."""
    with closing(ExtractorPool(name, preset, workers=1)) as pool:
        return extract_source(source, pool, query=query).fingerprint


def packed_fingerprint_of(source: Source, name: str, preset: Mapping[str, Any]) -> bytes:
    """Return a clip's fingerprint as it is sent; `earmark.packed_fingerprint` says more."""
    with closing(ExtractorPool(name, preset, workers=1)) as pool:
        return pool.fingerprinter.pack(extract_source(source, pool, query=True).fingerprint)


def extract_source(source: Source, extractor: Extractor, *, query: bool) -> Extracted:
    """Return what is in a source: files go to the extractor, samples are extracted here, fingerprints stay as they are.

    Raises MediaError for what cannot be read as audio, SpecMismatch for another kind's fingerprint, OptionError.
    """
    maker = extractor.fingerprinter
    if isinstance(source, Fingerprint):
        return _checked(source, maker, query=query)
    if isinstance(source, tuple):
        return extract_samples(*samples_of(source), maker, query=query)
    with _named(source), opened(source, extractor.limits) as file:
        return extractor.extract(file, query=query)


@contextmanager
def extracted_query(
    source: Source, extractor: Extractor, *, close_seconds: float, glance_seconds: float = 0.0
) -> Iterator[tuple[Extracted, CloserLook | None]]:
    """Give (what is in a source that is asked about, what looks closer at its parts), raising as `extract_source`.

    What is longer than `close_seconds` is looked at as a recording is, and what is no longer than `glance_seconds` is
    glanced at; of what was looked at closely there is no more to see. Parts can be asked for as long as the context
    lasts.
    """
    maker, lengths = extractor.fingerprinter, {"close_seconds": close_seconds, "glance_seconds": glance_seconds}
    if isinstance(source, Fingerprint):
        yield _checked(source, maker, query=True), None
    elif isinstance(source, tuple):
        samples, rate = samples_of(source)
        mono = to_mono(samples, rate, to_rate=maker.rate)
        look = fingerprint_of_query([mono], maker, **lengths)
        extracted = replace(_of_samples(mono, look.fingerprint, maker, is_close=look.is_close), sound=look.sound)
        yield extracted, None if look.is_close else partial(fingerprints_of_parts, [mono], maker)
    else:
        with _named(source), opened(source, extractor.limits) as file:
            extracted = extractor.extract(file, query=True, **lengths)
            yield extracted, None if extracted.is_close else partial(_parts_again, file, extractor, extracted.sound)


def extract_samples(samples: Any, rate: int, fingerprinter: Fingerprinter, *, query: bool) -> Extracted:
    """Return what is in samples, (n,) or (n, channels), in this process: no decoder is needed; raises OptionError."""
    mono = to_mono(samples, rate, to_rate=fingerprinter.rate)
    return _of_samples(mono, fingerprinter.extract(mono, query=query), fingerprinter, is_close=query)


@contextmanager
def _named(source: Source) -> Iterator[None]:
    """Have a MediaError name its source."""
    try:
        yield
    except MediaError as error:
        error.source = error.source or name_of(source)
        raise


def _of_samples(mono: Samples, fingerprint: Fingerprint, fingerprinter: Fingerprinter, *, is_close: bool) -> Extracted:
    return Extracted(
        fingerprint=fingerprint,
        packed=b"",
        seconds=len(mono) / fingerprinter.rate,
        complete=True,
        silent=bool(np.abs(mono).max(initial=0.0) < SILENCE_PEAK),
        features=fingerprinter.features_in(fingerprint),
        is_close=is_close,
    )


def _checked(fingerprint: Fingerprint, maker: Fingerprinter, *, query: bool) -> Extracted:
    maker.check(fingerprint.spec)
    try:
        maker.keys(fingerprint, query=query)
        features = maker.features_in(fingerprint)
    except KeyError as error:
        raise OptionError(f"a fingerprint without layer {error}; make it with earmark.fingerprint") from error
    return Extracted(fingerprint, b"", fingerprint.seconds, complete=True, silent=False, features=features)


def _parts_again(
    file: BinaryIO, extractor: Extractor, sound: Samples | None, spans: Sequence[Span]
) -> list[Fingerprint]:
    """Return parts of a file that was read before."""
    file.seek(0)
    return extractor.extract_parts(file, spans, sound=sound)
