"""Questions of any length: how closely they are looked at first, and a closer look at parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from earmark.types import Fingerprint, Samples

if TYPE_CHECKING:
    from earmark.extract.protocol import Span
    from earmark.fingerprints.protocol import Extraction, Fingerprinter

MARGIN_SECONDS = (
    1.0  # seconds of sound beside a part that is looked at with it, so that its edges are no edges of sound
)


@dataclass(frozen=True, slots=True, eq=False)
class FirstLook:
    """What the first look at a question saw."""

    fingerprint: Fingerprint
    is_close: bool  # whether it was as of a query; else it was as of a recording, or a glance
    sound: Samples | None = None  # of a short one that was glanced at


def fingerprint_of_query(
    audio: Iterable[Samples], fingerprinter: Fingerprinter, *, close_seconds: float | None, glance_seconds: float = 0.0
) -> FirstLook:
    """Return what a first look at consecutive blocks sees.

    It is close at up to `close_seconds`, however many where None are given, but a glance at up to `glance_seconds`.
    """
    blocks, first, heard = iter(audio), list[Samples](), 0
    most = None if close_seconds is None else close_seconds * fingerprinter.rate
    for block in blocks:
        first.append(block)
        heard += len(block)
        if most is not None and heard > most:
            break
    if glance_seconds and heard <= glance_seconds * fingerprinter.rate:
        sound = np.concatenate(first) if first else np.zeros(0, np.float32)
        return FirstLook(fingerprinter.glance(sound), is_close=False, sound=sound)
    is_close = most is None or heard <= most
    return FirstLook(fingerprinter.extract(chain(first, blocks), query=is_close), is_close)


def fingerprints_of_parts(
    audio: Iterable[Samples], fingerprinter: Fingerprinter, spans: Sequence[Span]
) -> list[Fingerprint]:
    """Return the fingerprint of each part of consecutive blocks, as of a query; spans are in order of time.

    That of a part which is all of the sound is the sound's.
    """
    parts, waiting, found = [_Part(fingerprinter, *span) for span in spans], 0, list[Fingerprint]()
    first = 0
    for block in audio:
        last = first + len(block)
        for part in parts[waiting:]:
            if part.first >= last:
                break
            part.push(block, first)
        while waiting < len(parts) and parts[waiting].last <= last:
            found.append(parts[waiting].taken())
            waiting += 1
        first = last
    return [*found, *(part.taken() for part in parts[waiting:])]


class _Part:
    """A part of a sound while it is heard."""

    def __init__(self, fingerprinter: Fingerprinter, begin: float, end: float) -> None:
        self._margin = min(begin, MARGIN_SECONDS)
        self._rate, self._seconds = fingerprinter.rate, end - begin
        self.first = round((begin - self._margin) * self._rate)
        self.last = round((end + MARGIN_SECONDS) * self._rate)  # sample after the last
        self._extraction: Extraction | None = fingerprinter.stream(query=True)

    def push(self, block: Samples, first: int) -> None:
        """Take what lies within of a block that begins at sample `first` of the sound."""
        assert self._extraction is not None
        self._extraction.push(block[max(self.first - first, 0) : max(self.last - first, 0)])

    def taken(self) -> Fingerprint:
        """Return the fingerprint of the part without its margins, and let go of the sound."""
        assert self._extraction is not None
        fingerprint, self._extraction = self._extraction.take(), None
        if not self._margin and fingerprint.seconds <= self._seconds:
            return fingerprint
        return fingerprint.between(self._margin, min(self._margin + self._seconds, fingerprint.seconds))
