"""The questions a catalog answers: one clip, or many on all cores."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Literal

import msgspec

from earmark.arguments import items_of
from earmark.catalog.listen import Listener
from earmark.errors import OptionError
from earmark.extract.pool import worker_count
from earmark.match.protocol import Options
from earmark.types import Align, Answer, Explanation, Fingerprint

if TYPE_CHECKING:
    from earmark.catalog.identify import Identify
    from earmark.extract.sources import Source

_CLIPS_AHEAD = 4  # clips per worker identified ahead of the answer that is wanted next; hides the wait for a child


class Questions:
    """What a catalog, which has an `Identify`, can be asked."""

    _identify: Identify

    def _check_open(self) -> None:
        """Raise CatalogError when the catalog is closed."""
        raise NotImplementedError

    def identify(
        self,
        source: Source,
        *,
        threshold: float | None = None,
        limit: int = 5,
        several: bool = False,
        places: bool = False,
        speed: bool | Literal["only"] = False,
        align: Align = "",
    ) -> Answer:
        """Say which tracks a clip comes from: a path, bytes, a file object, (samples, rate), or a fingerprint
        that `earmark.fingerprint(..., query=True)` made.

        Matches of at least `threshold` confidence (default: the calibrated one; 0 gives the candidates too) come back,
        at most `limit`, best first. `several` tells recordings that follow one another or sound at once, `places` every
        place of a recording that the clip fits. `speed` looks for other playing speeds, "only" for those that a catalog
        with `any_speed` finds by its quads, as it is calibrated.
        `align` lays the clip's sequence of segments on those of the tracks that the index names, by "edit" distance or
        "local" alignment: pieces of a recording that was edited, at its own speed.
        A clip that nothing can be said of has an answer without matches and a reason; one that cannot be read as audio
        raises MediaError.
        """
        options = Options(threshold, limit, several=several, places=places, speed=speed, align=align)
        self._check_open()
        return self._identify.answer(source, options)

    def fingerprint(self, id: str) -> Fingerprint:
        """Return the stored fingerprint of a track; raises TrackNotFound, CatalogDamaged."""
        return self._identify.stored(id)

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
        limit: int = 5,
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

    def listen(self, *, rate: int, threshold: float | None = None, limit: int = 5, several: bool = False) -> Listener:
        """Return what takes sound as it arrives, at `rate` samples a second, and answers as soon as it is sure.

        `several`: it tells all recordings that follow one another or sound at once, as a broadcast holds them.
        """
        self._check_open()
        return Listener(self._identify, rate=rate, options=Options(threshold, limit, several=several))

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
        limit: int = 5,
        several: bool = False,
        places: bool = False,
        speed: bool | Literal["only"] = False,
        align: Align = "",
    ) -> Iterator[Answer]:
        """Yield an answer for each source, in their order, as `identify` would, on all cores.

        A source that cannot be read as audio does not stop the others: its answer's reason is the MediaError's code.
        """
        options = Options(threshold, limit, several=several, places=places, speed=speed, align=align)
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
