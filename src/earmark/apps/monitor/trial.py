"""Whether a station can be followed: its stream is heard for some seconds, and told of, or why it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Timer
from typing import TYPE_CHECKING

import numpy as np

from earmark.apps.monitor.station_sound import LEAST_LEVEL, level_of
from earmark.streams.items import Gap, Sound, Source, Title

if TYPE_CHECKING:
    from earmark.catalog.catalog import Catalog
    from earmark.types import Match

TRIAL_SECONDS = 5.0  # seconds of sound that are heard: enough to name what plays
LONGEST_SECONDS = 20.0  # seconds of the clock after which a source is given up


@dataclass(frozen=True, slots=True)
class Trial:
    """What a station's stream gave."""

    seconds: float  # of sound that arrived
    level: float  # decibels re full scale
    title: str  # what the stream says is playing
    facts: dict[str, str] = field(default_factory=dict)  # what the server says: `format`, `bitrate`, `name`
    matches: Sequence[Match] = ()  # what of the catalog was heard
    reason: str = ""  # why nothing arrived, or too little

    @property
    def works(self) -> bool:
        """Whether sound arrived."""
        return self.seconds > 0


def try_station(catalog: Catalog, source: Source, *, longest_seconds: float = LONGEST_SECONDS) -> Trial:
    """Return what a source gives in some seconds of its sound; it is closed then. One attempt is made."""
    parts, count, title, reason = list[np.ndarray](), 0, "", ""
    timer = Timer(longest_seconds, source.close)
    timer.daemon = True
    timer.start()
    try:
        for item in source.items():
            if isinstance(item, Title):
                title = item.text
            elif isinstance(item, Gap):
                reason = item.reason
                break
            elif isinstance(item, Sound):
                parts.append(item.samples)
                count += len(item.samples)
                if count >= TRIAL_SECONDS * source.rate:
                    break
    finally:
        timer.cancel()
        source.close()
    if not count:
        facts = _facts_of(source)
        return Trial(0.0, LEAST_LEVEL, title, facts, reason=reason or f"no sound came within {longest_seconds:.0f} s")
    samples = np.concatenate(parts)
    answer = catalog.identify((samples, source.rate), limit=1)
    return Trial(count / source.rate, level_of(samples), title, _facts_of(source), answer.matches, reason)


def _facts_of(source: Source) -> dict[str, str]:
    return dict(getattr(source, "facts", {}))
