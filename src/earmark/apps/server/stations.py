"""The stations that a service follows: kept in a file in the catalog's folder, so that it goes on with them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from earmark.apps.monitor.monitor import RATE, Monitor, MonitorOptions, Recorder, StationStatus
from earmark.apps.monitor.stations import SCHEMES, Station, name_of
from earmark.apps.monitor.trial import Trial, try_station
from earmark.apps.server.problems import Problem
from earmark.apps.server.secret import write_secret
from earmark.apps.server.settings import ServerSettings
from earmark.atomic import written_beside
from earmark.errors import CatalogReadOnly, OptionError
from earmark.schema import prepared
from earmark.streams.addresses import AddressRule
from earmark.streams.items import Source

if TYPE_CHECKING:
    from earmark import Catalog

FILE = "stations.json"
WORKERS = 1  # stations that are listened to at the same time; the other cores answer questions
PAUSE_SECONDS = 0.5  # seconds between two looks for events as long as nothing is followed


class KeptStation(msgspec.Struct, frozen=True):
    """A station as it is kept."""

    name: str
    source: str
    zone: str = ""


class Stations:
    """Follows stations in threads; a service that only reads follows none."""

    def __init__(self, catalog: Catalog, settings: ServerSettings, *recorders: Recorder | None) -> None:
        """Raises OptionError for a file of stations that is none."""
        self._path, self._settings, self._catalog = settings.catalog / FILE, settings, catalog
        self._recorders = tuple(one for one in recorders if one is not None)
        self._kept: dict[str, KeptStation] = {}
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._monitor: Monitor | None = None
        self._tried = set[Source]()  # streams that are heard now, before they are followed
        self._known = [] if settings.read_only else self._read()

    def start(self) -> None:
        """Follow the stations of the file."""
        with self._lock:
            for station in self._known:
                self._follow(station)

    def close(self) -> None:
        """Follow none any more, and wait until their plays are written."""
        self._stopped.set()
        for source in list(self._tried):
            source.close()
        if self._monitor is not None:
            self._monitor.close()

    def status(self) -> list[StationStatus]:
        """Return how each station does."""
        return [] if self._monitor is None else self._monitor.status()

    def zone(self, name: str) -> str:
        """Return the time zone of a station, '' for this machine's."""
        kept = self._kept.get(name)
        return "" if kept is None else kept.zone

    def add(self, source: str, *, name: str = "", zone: str = "") -> StationStatus:
        """Follow a stream; raises Problem, CatalogReadOnly, OptionError."""
        if self._settings.read_only:
            raise CatalogReadOnly("this service only reads; start it without --read-only to follow stations")
        _check(source)
        station = KeptStation(name or name_of(source), source, zone)
        with self._lock:
            if station.name in self._kept:
                raise Problem(409, "station_exists", f"there is a station {station.name!r}; give another name")
            if len(self._kept) >= self._settings.limits.stations:
                raise Problem(409, "too_many_stations", f"{len(self._kept)} stations are followed; stop one first")
            self._follow(station)
            self._write()
        return self.status_of(station.name)

    def tried(self, source: str) -> Trial:
        """Return what a stream gives in some seconds; raises OptionError for what is no URL."""
        _check(source)
        rule = AddressRule(allows_private=self._settings.private_streams)
        opened = Station("trial", source).opened(rate=RATE, rule=rule)
        self._tried.add(opened)
        try:
            return try_station(self._catalog, opened)
        finally:
            self._tried.discard(opened)

    def remove(self, name: str) -> None:
        """Follow a station no longer; its plays stay. Raises Problem."""
        if self._settings.read_only:
            raise CatalogReadOnly("this service only reads; start it without --read-only to change its stations")
        with self._lock:
            if self._kept.pop(name, None) is None:
                raise _unknown(name)
            self._write()
            if self._monitor is not None:
                self._monitor.remove(name)

    def status_of(self, name: str) -> StationStatus:
        """Return how one station does; raises Problem."""
        for one in self.status():
            if one.name == name:
                return one
        raise _unknown(name)

    def _follow(self, station: KeptStation) -> None:
        if self._monitor is None:
            options = MonitorOptions(allows_private=self._settings.private_streams, workers=WORKERS)
            self._monitor = Monitor(self._catalog, options=options, recorders=self._recorders)
            threading.Thread(target=self._pass_events, name="earmark-stations", daemon=True).start()
        self._monitor.add(Station(station.name, station.source, station.zone))
        self._kept[station.name] = station

    def _pass_events(self) -> None:
        """Take the events, which nobody asks for: what happens to plays is told by the store."""
        assert self._monitor is not None
        while not self._stopped.wait(PAUSE_SECONDS):
            for _ in self._monitor.events():
                pass

    def _read(self) -> list[KeptStation]:
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=prepared(list[KeptStation]))
            return [one for one in kept if Station(one.name, one.source, one.zone)]
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError, OptionError) as error:
            raise OptionError(f"{self._path} lists no stations ({error}); remove it and add them again") from error

    def _write(self) -> None:
        with written_beside(self._path) as part:
            write_secret(part, msgspec.json.encode(list(self._kept.values())))  # URLs may hold passwords


def _check(source: str) -> None:
    if not source.startswith(SCHEMES):
        raise OptionError("a station's source is a URL that begins with http:// or https://; give the stream's")


def _unknown(name: str) -> Problem:
    return Problem(404, "station_not_found", f"no station is called {name!r}; GET /v1/monitors lists them")
