"""The fingerprint of one source, without a catalog and without children that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.audio.arrays import to_mono
from earmark.extract.fingerprinter import make_fingerprinter
from earmark.extract.pool import ExtractorPool
from earmark.extract.protocol import SILENCE_PEAK, Extracted
from earmark.extract.sources import Source, opened, samples_of
from earmark.types import Fingerprint

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter


def fingerprint_of(source: Source, name: str, preset: Mapping[str, Any], *, query: bool) -> Fingerprint:
    """Return the fingerprint of a source by a fingerprinter's name and settings; `earmark.fingerprint` says more."""
    fingerprinter = make_fingerprinter(name, preset)
    if isinstance(source, Fingerprint):
        fingerprinter.check(source.spec)
        return source
    if isinstance(source, tuple):
        return extract_samples(*samples_of(source), fingerprinter, query=query).fingerprint
    with closing(ExtractorPool(name, preset, workers=1)) as pool, opened(source, pool.limits) as file:
        return pool.extract(file, query=query).fingerprint


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
