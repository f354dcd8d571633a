"""Reading all of a catalog to see whether it is what was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from earmark.catalog.backend import LiveIndex, Recording, Store
from earmark.catalog.plays import PlayStore
from earmark.catalog.unpack import unpacked
from earmark.errors import CatalogDamaged

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of everything found."""

    tracks: int  # tracks checked
    problems: tuple[str, ...]  # sentences that name what is damaged and what to do

    @property
    def ok(self) -> bool:
        """Whether everything is as it was written."""
        return not self.problems


def verify(
    store: Store, plays: PlayStore, index: LiveIndex, fingerprinter: Fingerprinter, *, repair: bool
) -> Verification:
    """Check the databases, every row and fingerprint, and every byte of the published index.

    With `repair`, files of damaged tracks are forgotten, so that adding them again reads them again.
    """
    problems, tracks, damaged = store.problems(), 0, list[int]()
    rows = [recording for recording in store.recordings() if not isinstance(recording, Recording)]
    problems += [str(error) for error in rows]
    for number, packed in store.fingerprints_after(0):
        tracks += 1
        try:
            unpacked(fingerprinter, number, packed, is_whole=True)
            store.recording(number)
        except CatalogDamaged as error:
            damaged.append(number)
            if str(error) not in problems:
                problems.append(str(error))
    problems += plays.problems()
    problems += index.check()
    if repair and damaged:
        with store.transaction():
            for number in damaged:
                store.forget_files(number)
    return Verification(tracks, tuple(problems))
