"""`earmark.Monitor`: many stations at once, each read in a thread of its own, their events in one stream."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Lock, Semaphore, Thread
from typing import TYPE_CHECKING, Protocol, Self

from earmark.apps.monitor.events import MonitorEvent
from earmark.apps.monitor.ledger import Ledger, Rules, Thresholds
from earmark.apps.monitor.station_sound import Listening, StationSound
from earmark.apps.monitor.stations import Station, name_of
from earmark.errors import EarmarkError, MediaError, OptionError
from earmark.extract.pool import worker_count
from earmark.streams.addresses import AddressRule
from earmark.streams.buffer import Buffer
from earmark.streams.items import Sound, Source
from earmark.types import Samples

if TYPE_CHECKING:
    from earmark.catalog.catalog import Catalog

RATE = 16_000  # Hz of what is decoded; fingerprints look below 8 kHz
LIVE_LOOK_SECONDS = 5.0  # seconds from one look to the next: two windows, each of which is looked at once
FILE_LOOK_SECONDS = 30.0  # seconds of the same: many windows are looked up together, which is quicker
CALM_LOOK_SECONDS = 15.0  # seconds of the same of a station that plays what is beyond doubt
WAKE_SECONDS = 0.5  # longest wait for an event before it is looked whether all has ended


class Recorder(Protocol):
    """Something that keeps what a station sounds like, as clips or fingerprints."""

    def hear(self, station: str, samples: Samples, start: float) -> None:
        """Take the next samples, at `RATE`, the first of which was heard at `start`, UTC."""

    def note(self, event: MonitorEvent) -> None:
        """Take note of an event of a station, in the thread that listens to it."""

    def end(self, station: str) -> None:
        """Take note that nothing follows of a station."""


@dataclass(frozen=True, slots=True)
class MonitorOptions:
    """How stations are followed."""

    threshold: float | None = None  # confidence from which on a play is accepted; None for the calibrated one
    review: float | None = None  # confidence from which on a play is kept for review; None: from `threshold` on
    candidates: float | None = None  # confidence from which on what is not sure is told as `candidate`
    look_seconds: float | None = None  # of sound from one look to the next; None: 5 to 15, and 30 where nobody waits
    allows_private: bool = False  # URLs may name this machine and its networks
    workers: int | None = None  # stations that are listened to at the same time; None: one a core
    rules: Rules = field(default_factory=Rules)

    def thresholds(self, calibrated: float) -> Thresholds:
        """Return the thresholds, given the calibrated one."""
        accepted = calibrated if self.threshold is None else self.threshold
        return Thresholds(accepted, accepted if self.review is None else min(self.review, accepted))


@dataclass(frozen=True, slots=True)
class StationStatus:
    """How a station does."""

    name: str
    source: str
    state: str  # connecting, listening, waiting (for a new connection), ended
    seconds: float  # of sound that arrived
    dropped_seconds: float  # that arrived and was not heard
    drift_seconds: float  # of the station's clock against this machine's, since the last gap
    gaps: int
    level: float  # decibels re full scale, of the last look
    title: str  # what the stream says is playing; never believed
    reason: str  # of the last gap, or of the end


class Monitor:
    """Follows stations and writes their plays to the catalog, which may be open for reading, as they happen."""

    def __init__(
        self,
        catalog: Catalog,
        stations: Iterable[Station | str | os.PathLike[str]] = (),
        *,
        options: MonitorOptions | None = None,
        recorders: Iterable[Recorder] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin to follow stations; a path or URL alone is a station of that name. Close it after use, or use `with`.

        Raises OptionError for a source that makes no sense, and two stations of one name.
        """
        self._catalog, self._options, self._clock = catalog, options or MonitorOptions(), clock
        self._recorders = tuple(recorders)
        self._events = SimpleQueue[MonitorEvent]()
        self._turns = Semaphore(worker_count(self._options.workers))
        self._lock, self._followed = Lock(), dict[str, _Followed]()
        try:
            for station in stations:
                self.add(station)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, station: Station | str | os.PathLike[str]) -> None:
        """Follow one more station; raises OptionError as the construction does."""
        if not isinstance(station, Station):
            station = Station(name_of(os.fspath(station)), station)
        with self._lock:
            if station.name in self._followed:
                raise OptionError(f"two stations are called {station.name!r}; give one another name")
            self._followed[station.name] = _Followed(self, station)
        self._followed[station.name].start()

    def remove(self, name: str) -> None:
        """Follow a station no longer; its plays are closed. Raises OptionError for an unknown name."""
        with self._lock:
            followed = self._followed.pop(name, None)
        if followed is None:
            raise OptionError(
                f"no station is called {name!r}; those followed are {', '.join(self._followed) or 'none'}"
            )
        followed.stop()

    def events(self) -> Iterator[MonitorEvent]:
        """Yield what happens, until every station has ended or the monitor is closed."""
        while True:
            is_over = all(not one.is_alive for one in list(self._followed.values()))
            try:
                yield self._events.get(timeout=0.0 if is_over else WAKE_SECONDS)
            except Empty:
                if is_over:
                    return

    def status(self) -> list[StationStatus]:
        """Return how each station does."""
        return [one.status() for one in list(self._followed.values())]

    def close(self) -> None:
        """Stop following, and wait until everything is written; plays that go on are closed."""
        with self._lock:
            followed = list(self._followed.values())
        for one in followed:
            one.ask_to_stop()
        for one in followed:
            one.stop()


class _Followed:
    """One station: a thread that reads, and one that listens."""

    def __init__(self, monitor: Monitor, station: Station) -> None:
        options, catalog = monitor._options, monitor._catalog
        self.station, self._monitor = station, monitor
        rule = AddressRule(allows_private=options.allows_private)
        self._source: Source = station.opened(rate=RATE, rule=rule, clock=monitor._clock)
        self._buffer = Buffer(rate=self._source.rate, drops=self._source.is_live)
        thresholds = options.thresholds(catalog.threshold)
        self._ledger = Ledger(
            catalog.plays, station.name, thresholds, rules=options.rules, utc_offset=station.utc_offset
        )
        listening = Listening(thresholds, *_looks(options, is_live=self._source.is_live), options.candidates)
        self._hearing = StationSound(catalog, self._ledger, station.name, rate=self._source.rate, listening=listening)
        if monitor._recorders:
            self._hearing.samples_heard = self._record
        self._stopped = Event()
        self._state, self._reason, self._title, self._gaps, self._reading_failed = "connecting", "", "", 0, ""
        self._reader = Thread(target=self._read, name=f"earmark-read-{station.name}", daemon=True)
        self._listener = Thread(target=self._listen, name=f"earmark-listen-{station.name}", daemon=True)

    @property
    def is_alive(self) -> bool:
        return self._listener.is_alive()

    def start(self) -> None:
        self._reader.start()
        self._listener.start()

    def ask_to_stop(self) -> None:
        self._stopped.set()
        self._source.close()
        self._buffer.end()

    def stop(self) -> None:
        self.ask_to_stop()
        self._reader.join()
        self._listener.join()

    def status(self) -> StationStatus:
        return StationStatus(
            name=self.station.name,
            source=self._source.name,
            state=self._state,
            seconds=self._hearing.seconds,
            dropped_seconds=self._buffer.dropped_seconds,
            drift_seconds=self._hearing.drift_seconds,
            gaps=self._gaps,
            level=self._hearing.level,
            title=self._title,
            reason=self._reason,
        )

    def _read(self) -> None:
        try:
            for item in self._source.items():
                self._buffer.put(item)
        except Exception as error:  # of one station, which must not end the others in silence
            self._reading_failed = _said(error)
        finally:
            self._buffer.end()

    def _listen(self) -> None:
        try:
            while (item := self._buffer.get()) is not None and not self._stopped.is_set():
                with self._monitor._turns:
                    self._tell(self._hearing.take(item))
                self._state = "listening" if isinstance(item, Sound) else self._state
            with self._monitor._turns:
                self._tell(self._hearing.close())
            reason = "" if self._stopped.is_set() else self._reading_failed
        except Exception as error:  # as above
            reason = _said(error)
            self.ask_to_stop()
        for recorder in self._monitor._recorders:
            recorder.end(self.station.name)
        self._state, self._reason = "ended", reason
        now = self._monitor._clock()
        self._monitor._events.put(MonitorEvent("ended", self.station.name, now, detail={"reason": reason}))

    def _tell(self, events: Iterable[MonitorEvent]) -> None:
        for event in events:
            if event.kind == "gap":
                self._gaps += 1
                self._state, self._reason = "waiting", str(event.detail["reason"])
            elif event.kind == "title":
                self._title = str(event.detail["title"])
            for recorder in self._monitor._recorders:
                recorder.note(event)
            self._monitor._events.put(event)

    def _record(self, samples: Samples, start: float) -> None:
        for recorder in self._monitor._recorders:
            recorder.hear(self.station.name, samples, start)


def _looks(options: MonitorOptions, *, is_live: bool) -> tuple[float, float]:
    """Return the seconds from one look to the next, and while one recording plays beyond doubt."""
    if options.look_seconds is not None:
        return options.look_seconds, options.look_seconds
    return (LIVE_LOOK_SECONDS, CALM_LOOK_SECONDS) if is_live else (FILE_LOOK_SECONDS, FILE_LOOK_SECONDS)


def _said(error: Exception) -> str:
    """Return why a station ended; what nobody foresaw with its kind."""
    if isinstance(error, MediaError):
        return error.detail
    return str(error) if isinstance(error, EarmarkError) else f"internal error: {type(error).__name__}: {error}"
