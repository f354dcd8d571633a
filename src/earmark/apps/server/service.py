"""What the routes share: the catalog as it is read and as it is written, children that decode, and the line."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import earmark
from earmark.apps.monitor.clips import Clips
from earmark.apps.server.callers import Callers
from earmark.apps.server.figures import Figures
from earmark.apps.server.keys import Keys
from earmark.apps.server.line import FairLine
from earmark.apps.server.places import Places
from earmark.apps.server.settings import ServerSettings
from earmark.apps.server.stations import Stations
from earmark.apps.server.uploads import Budget
from earmark.apps.server.worker import Opening, Question, Told
from earmark.apps.server.worker_pool import WorkerPool
from earmark.audio.container import open_regular
from earmark.errors import CatalogReadOnly
from earmark.extract.live import LiveDecoders
from earmark.extract.pool import ExtractorPool, LentPool, worker_count
from earmark.extract.protocol import Cancellation, ExtractLimits

if TYPE_CHECKING:
    from earmark import Catalog, Fingerprint

Result = TypeVar("Result")
log = logging.getLogger("earmark.server")

WARM_WORKERS = 4  # workers that are started before the first question
CACHE_BYTES = (
    64_000_000  # bytes of stored fingerprints that all workers keep for the next question, as one catalog does
)
WRITER_SECONDS = 3.0  # seconds for which the catalog stays open for writing after a change; others can write then


class Service:
    """An open catalog and what serves it; `close` when nobody asks any more."""

    def __init__(self, settings: ServerSettings) -> None:
        """Open the catalog, made when absent; raises CatalogError, OptionError."""
        limits = settings.limits
        self.settings, self.figures = settings, Figures()
        self.keys = Keys(settings.keys)
        self.keys.all()
        self.callers = Callers(settings, self.keys)
        self.budget = Budget(limits.uploads_bytes)
        extract_limits = ExtractLimits(
            longest_seconds=limits.track_seconds,
            longest_query_seconds=limits.clip_seconds,
            largest_upload_bytes=limits.upload_bytes,
        )
        if not settings.read_only:
            with contextlib.suppress(earmark.CatalogLocked):  # whoever writes has made it
                earmark.open(settings.catalog).close()
        workers = worker_count(settings.workers)
        with earmark.open(settings.catalog, create=False, read_only=True) as catalog:
            info = catalog.info()
        self.extractor = ExtractorPool(info["fingerprinter"], info["preset"], workers=workers, limits=extract_limits)
        lent = partial(_lent, self.extractor)
        self.catalog = earmark.open(settings.catalog, create=False, read_only=True, make_extractor=lent)
        self.line = FairLine(
            workers, most=limits.waiting, most_of_one=limits.waiting_of_one, most_seconds=limits.waiting_seconds
        )
        opening = Opening(
            catalog=str(settings.catalog.resolve()),
            fingerprinter=info["fingerprinter"],
            preset=dict(info["preset"]),
            cache_bytes=CACHE_BYTES // workers,
            clip_seconds=limits.clip_seconds,
        )
        self.workers = WorkerPool(opening, workers, replaced=self.figures.workers_replaced.inc)
        self.live = LiveDecoders(limits.listeners)
        self.writer = Writer(settings, self.extractor)
        self._threads = ThreadPoolExecutor(workers + limits.listeners + 4, thread_name_prefix="earmark-serve")
        self.listeners = Places("streams", limits.listeners, limits.listeners_of_one)
        self.trials = Places("trials of stations", limits.trials, limits.trials)
        self.watchers = Places("streams of events", limits.watchers, limits.watchers_of_one)
        self.clips = None if settings.keep_clips is None else Clips(settings.keep_clips, most=settings.most_clips)
        self.stations = Stations(self.catalog, settings, self.clips)
        self.is_ready, self.is_ending = False, asyncio.Event()
        self._watch()

    def warm_up(self) -> None:
        """Start what a first question would wait for."""
        try:
            self.workers.warm_up(WARM_WORKERS)
        except Exception as error:  # whatever it is: each question is told why
            log.error("no worker could start", extra={"fields": {"detail": str(error)}})
        self.live.start()
        self.stations.start()
        self.is_ready = True

    def close(self) -> None:
        """End all children and close the catalog."""
        self.is_ready = False
        self.stations.close()
        self.workers.close()
        self.extractor.close()
        self.live.close()
        self._threads.shutdown(cancel_futures=True)
        self.writer.close()
        self.catalog.close()

    async def call(self, work: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        """Return what work makes in a thread, while others are answered."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *arguments, **named))

    async def told(self, question: Question, cancellation: Cancellation) -> Told:
        """Return a worker's answer; raises EarmarkError, Problem."""
        return await self.call(self.workers.told, question, cancellation)

    def extracted(self, path: str, cancellation: Cancellation) -> Fingerprint:
        """Return the fingerprint of a clip in a file; raises MediaError."""
        with self.extractor.cancelled_by(cancellation), open_regular(path) as file:
            return self.extractor.extract(file, query=True).fingerprint

    def _watch(self) -> None:
        for name, help, value in (
            ("earmark_tracks", "Tracks in the catalog.", lambda: float(len(self.catalog))),
            ("earmark_stations", "Stations that are followed.", lambda: float(len(self.stations.status()))),
            ("earmark_waiting", "Questions in line.", lambda: float(self.line.waiting)),
            ("earmark_workers", "Processes that answer questions.", lambda: float(len(self.workers.processes))),
            ("earmark_at_work", "Questions that are worked on.", lambda: float(self.line.at_work)),
            ("earmark_upload_bytes", "Bytes of bodies on the disk.", lambda: float(self.budget.used)),
        ):
            self.figures.watch(name, help, value)


def _lent(pool: ExtractorPool, *, workers: int | None) -> LentPool:
    return LentPool(pool)


class Writer:
    """The catalog open for writing, only as long as something is changed: in between, others may write."""

    def __init__(self, settings: ServerSettings, pool: ExtractorPool) -> None:
        """`pool`: children that read what is added."""
        self._settings, self._pool = settings, pool
        self._lock = threading.Lock()
        self._catalog: Catalog | None = None
        self._timer: threading.Timer | None = None

    def change(self, work: Callable[[Catalog], Result]) -> Result:
        """Return what `work` makes of the catalog; raises CatalogLocked while another process writes."""
        if self._settings.read_only:
            raise CatalogReadOnly("this service only reads; start it without --read-only to change the catalog")
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if self._catalog is None:
                lent = partial(_lent, self._pool)
                self._catalog = earmark.open(self._settings.catalog, create=False, make_extractor=lent)
            try:
                return work(self._catalog)
            finally:
                self._timer = threading.Timer(WRITER_SECONDS, self._close_when_idle)
                self._timer.daemon = True
                self._timer.start()

    def _close_when_idle(self) -> None:
        try:
            self.close()
        except earmark.CatalogError as error:  # what was changed is kept; the index is behind until it is written again
            log.error("the index could not be published", extra={"fields": {"detail": str(error)}})

    def close(self) -> None:
        """Let others write."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._catalog is not None:
                catalog, self._catalog = self._catalog, None
                catalog.close()
