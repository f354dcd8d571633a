"""The questions a catalog answers: one clip, or many on all cores."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Literal

import msgspec

from earmark.arguments import items_of, seconds_of
from earmark.catalog.duplicates import SHORTEST_SECONDS, StoredSound, duplicates
from earmark.catalog.listen import Listener
from earmark.catalog.repeats import SHORTEST_REPEAT_SECONDS, repeats
from earmark.catalog.unpack import unpacked
from earmark.errors import CatalogDamaged, OptionError
from earmark.extract.pool import worker_count
from earmark.match.protocol import Options
from earmark.types import Align, Answer, Duplicate, Explanation, Fingerprint, Repeat

if TYPE_CHECKING:
    from earmark.catalog.backend import LiveIndex, Store
    from earmark.catalog.identify import Identify
    from earmark.extract.sources import Source
    from earmark.fingerprints.protocol import Fingerprinter

_CLIPS_AHEAD = 4  # clips per worker identified ahead of the answer that is wanted next; hides the wait for a child


class Questions:
    """What a catalog, which has an `Identify`, can be asked."""

    _identify: Identify
    _store: Store
    _index: LiveIndex
    _fingerprinter: Fingerprinter

    def _check_open(self) -> None:
        """Raise CatalogError when the catalog is closed."""
        raise NotImplementedError

    def identify(
        self,
        source: Source,
        *,
        threshold: float | None = None,
        limit: int | None = None,
        several: bool = False,
        places: bool = False,
        speed: bool | Literal["only"] = False,
        align: Align = "",
        closely: bool = False,
    ) -> Answer:
        """Say which tracks a clip comes from: a path, bytes, a file object, (samples, rate), or a fingerprint
        that `earmark.fingerprint(..., query=True)` made.

        Matches of at least `threshold` confidence (default: the calibrated one; 0 gives the candidates too, where a
        first glance leaves any doubt) come back, at most `limit` (default: 5), best first. `closely` leaves out that
        glance. `several` tells recordings that follow one another or sound at once, by default all of them, in order
        of time, and `places` every place of a recording that the clip fits. `speed` looks for other playing speeds,
        "only" for those that a catalog with `any_speed` finds by its quads, as it is calibrated.
        `align` lays the clip's sequence of segments on those of the tracks that the index names, by "edit" distance or
        "local" alignment: pieces of a recording that was edited, at its own speed.
        A clip that nothing can be said of has an answer without matches and a reason; one that cannot be read as audio
        raises MediaError.
        """
        options = Options(threshold, limit, several=several, places=places, speed=speed, align=align, closely=closely)
        self._check_open()
        return self._identify.answer(source, options)

    def fingerprint(self, id: str) -> Fingerprint:
        """Return the stored fingerprint of a track; raises TrackNotFound, CatalogDamaged."""
        self._check_open()
        number = self._store.number_of(id)
        packed = self._store.fingerprints([number]).get(number, CatalogDamaged(f"track {id!r} has no fingerprint"))
        return unpacked(self._identify.fingerprinter, number, packed)

    def unpacked(self, packed: bytes) -> Fingerprint:
        """Return the fingerprint that `earmark.packed_fingerprint` packed.

        Raises SpecMismatch when it is of another kind than the catalog's, OptionError when it is none.
        """
        try:
            return self._identify.fingerprinter.unpack(packed)
        except (ValueError, TypeError, OverflowError, zlib.error, msgspec.MsgspecError) as error:
            raise OptionError(f"no fingerprint ({error}); send what earmark.packed_fingerprint returned") from error

    def explain(
        self,
        source: Source,
        *,
        threshold: float | None = None,
        limit: int | None = None,
        several: bool = False,
        places: bool = False,
        speed: bool | Literal["only"] = False,
        align: Align = "",
    ) -> Explanation:
        """Return what `identify` says of a clip, what it would say if nothing had to be sure, and what spoke for it.

        The traces tell of the best track and of the runner-up how far the clip agrees with them, moment by moment.
        """
        options = Options(threshold, limit, several=several, places=places, speed=speed, align=align)
        self._check_open()
        return self._identify.explain(source, options)

    def listen(
        self,
        *,
        rate: int,
        threshold: float | None = None,
        limit: int | None = None,
        several: bool = False,
        is_close: bool = True,
    ) -> Listener:
        """Return what takes sound as it arrives, at `rate` samples a second, and answers as soon as it is sure.

        `several`: it tells all recordings that follow one another or sound at once, as a broadcast holds them. Without
        `is_close` it looks closely only where there is doubt, which takes less time, and some seconds longer.
        """
        self._check_open()
        return Listener(
            self._identify, rate=rate, options=Options(threshold, limit, several=several), is_close=is_close
        )

    @property
    def threshold(self) -> float:
        """The calibrated confidence from which on a match counts as found."""
        return self._identify.threshold

    def identify_many(
        self,
        sources: Iterable[Source],
        *,
        workers: int | None = None,
        threshold: float | None = None,
        limit: int | None = None,
        several: bool = False,
        places: bool = False,
        speed: bool | Literal["only"] = False,
        align: Align = "",
        closely: bool = False,
    ) -> Iterator[Answer]:
        """Yield an answer for each source, in their order, as `identify` would, on all cores.

        A source that cannot be read as audio does not stop the others: its answer's reason is the MediaError's code.
        """
        options = Options(threshold, limit, several=several, places=places, speed=speed, align=align, closely=closely)
        self._check_open()
        count = worker_count(workers)
        ask = partial(self._identify.answer, options=options, raises=False)
        remaining, waiting = iter(items_of(sources, "paths, or what else a clip can be")), deque[Future[Answer]]()
        with ThreadPoolExecutor(count, thread_name_prefix="earmark-identify") as pool:
            try:
                while True:
                    waiting.extend(
                        pool.submit(ask, one) for one in islice(remaining, _CLIPS_AHEAD * count - len(waiting))
                    )
                    if not waiting:
                        return
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def duplicates(
        self, *, shortest: float = SHORTEST_SECONDS, progress: Callable[[int, int], object] | None = None
    ) -> Iterator[Duplicate]:
        """Yield each pair of tracks that hold the same recording, or share `shortest` seconds of one, as it is found.

        No audio is read. `progress` is called with (tracks done, tracks in all). `earmark.duplicate_groups` makes
        groups of the pairs. A track whose fingerprint is damaged is passed over: `verify` names it.
        """
        sounds = StoredSound(self._store, self._index, self._fingerprinter)
        least = seconds_of(shortest, "shortest")
        return duplicates(sounds, total=self._store.count()[0], shortest=least, progress=progress)

    def repeats(
        self, *, shortest: float = SHORTEST_REPEAT_SECONDS, progress: Callable[[int, int], object] | None = None
    ) -> list[Repeat]:
        """Return what recurs for `shortest` seconds in and across the catalog's tracks, that of most places first.

        `progress` is called with (tracks done, tracks in all).
        """
        sounds = StoredSound(self._store, self._index, self._fingerprinter)
        least = seconds_of(shortest, "shortest")
        return repeats(sounds, total=self._store.count()[0], shortest=least, progress=progress)
