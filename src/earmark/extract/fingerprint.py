"""What is in one source, whatever it is: the one door for sound."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.audio.arrays import to_mono
from earmark.errors import OptionError
from earmark.extract.pool import ExtractorPool
from earmark.extract.protocol import SILENCE_PEAK, Extracted, Extractor
from earmark.extract.sources import Source, opened, samples_of
from earmark.types import Fingerprint

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
        maker.check(source.spec)
        try:
            maker.keys(source, query=query)
            features = maker.features_in(source)
        except KeyError as error:
            raise OptionError(f"a fingerprint without layer {error}; make it with earmark.fingerprint") from error
        return Extracted(source, b"", source.seconds, complete=True, silent=False, features=features)
    if isinstance(source, tuple):
        return extract_samples(*samples_of(source), maker, query=query)
    with opened(source, extractor.limits) as file:
        return extractor.extract(file, query=query)


def extract_samples(samples: Any, rate: int, fingerprinter: Fingerprinter, *, query: bool) -> Extracted:
    """Return what is in samples, (n,) or (n, channels), in this process: no decoder is needed; raises OptionError."""
    mono = to_mono(samples, rate, to_rate=fingerprinter.rate)
    fingerprint = fingerprinter.extract(mono, query=query)
    return Extracted(
        fingerprint=fingerprint,
        packed=b"",
        seconds=len(mono) / fingerprinter.rate,
        complete=True,
        silent=bool(np.abs(mono).max(initial=0.0) < SILENCE_PEAK),
        features=fingerprinter.features_in(fingerprint),
    )
