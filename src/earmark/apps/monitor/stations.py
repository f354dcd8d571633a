"""Stations: what to follow, under which name, in which time zone; and a TOML file of them.

zone = "Europe/Berlin"

[[station]]
name = "Radio One"
source = "https://radio.example/one.mp3"
"""

from __future__ import annotations

import os
import stat
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from earmark.errors import OptionError
from earmark.schema import prepared
from earmark.streams.addresses import AddressRule
from earmark.streams.items import Source
from earmark.text import printable

MICROPHONE = "mic"  # source that is the default sound device; "mic:NAME" is another one
SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Station:
    """What is followed under one name."""

    name: str
    source: str | os.PathLike[str] | Source  # a path, "-", a URL, "mic" or "mic:DEVICE", or what yields sound
    zone: str = ""  # as "Europe/Berlin"; '' for that of this machine
    start: float | None = None  # UTC at which a file or pipe begins; None: see `streams.files`

    def __post_init__(self) -> None:
        if not self.name or self.name != printable(self.name):
            raise OptionError(f"{self.name!r} cannot be a station's name; give text that can be printed")
        zone_of(self.zone)

    def utc_offset(self, moment: float) -> float:
        """Return by how many seconds the station's local time is ahead of UTC at a moment."""
        offset = datetime.fromtimestamp(moment, UTC).astimezone(zone_of(self.zone)).utcoffset()
        return offset.total_seconds() if offset is not None else 0.0

    def opened(self, *, rate: int, rule: AddressRule, clock: Callable[[], float] = time.time) -> Source:
        """Return the source, ready to be read; raises OptionError for one that makes no sense."""
        source = self.source
        if not isinstance(source, str | os.PathLike):
            return source
        text = os.fspath(source)
        if text.startswith(SCHEMES):
            from earmark.streams.radio import RadioSource

            return RadioSource(text, rate=rate, rule=rule, clock=clock)
        if text == MICROPHONE or text.startswith(f"{MICROPHONE}:"):
            from earmark.streams.microphone import MicrophoneSource

            return MicrophoneSource(text.partition(":")[2] or None, rate=rate, clock=clock)
        if "://" in text:
            raise OptionError(
                f"{printable(text)} cannot be opened; give a path, an http:// or https:// URL, or pipe it in: "
                "ffmpeg -i URL -f wav - | earmark monitor -"
            )
        from earmark.streams.files import FileSource, PipeSource

        if text == "-":
            return PipeSource(sys.stdin.buffer, rate=rate, start=self.start, clock=clock)
        if _is_fifo(text):
            return PipeSource(text, rate=rate, start=self.start, clock=clock)
        return FileSource(text, rate=rate, start=self.start)


def zone_of(name: str) -> tzinfo | None:
    """Return a time zone by its name, None for ''; raises OptionError for an unknown one."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise OptionError(f"zone {name!r} is not known; give one as Europe/Berlin") from error


def name_of(source: str) -> str:
    """Return what a station is called that got no name: a file by its stem, a URL by host and path."""
    if source == "-":
        return "stdin"
    if source.startswith(SCHEMES):
        parts = urlsplit(source)
        return printable(f"{parts.hostname or ''}{parts.path}".rstrip("/")) or "radio"
    return printable(PurePath(source).stem if "://" not in source else source) or "station"


def stations_of(
    sources: Sequence[str], names: Sequence[str] = (), *, zone: str = "", start: float | None = None
) -> list[Station]:
    """Return a station for each source, in order, and those of each TOML file; names in the order of the sources."""
    found, given = list[Station](), list(names)
    for source in sources:
        if source.endswith(".toml"):
            found += read_stations(Path(source))
        else:
            found.append(Station(given.pop(0) if given else name_of(source), source, zone, start))
    if given:
        raise OptionError(f"{len(names)} names for {len(names) - len(given)} sources; give one a source at most")
    return _with_own_names(found)


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    source: str
    name: str = ""
    zone: str = ""
    start: datetime | None = None


class _Stations(msgspec.Struct, forbid_unknown_fields=True):
    station: list[_Entry]
    zone: str = ""


def read_stations(path: Path) -> list[Station]:
    """Return the stations of a TOML file; raises OptionError for what cannot be understood."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        listed = msgspec.convert(content, prepared(_Stations))
    except OSError as error:
        raise OptionError(f"{path}: {error.strerror}; give a TOML file of stations") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise OptionError(f"{path} lists no stations ({error}); see docs/monitoring.md") from error
    return [
        Station(
            one.name or name_of(one.source),
            _beside(path, one.source),
            one.zone or listed.zone,
            None if one.start is None else one.start.timestamp(),
        )
        for one in listed.station
    ]


def _beside(file: Path, source: str) -> str:
    """Return a source, a path in a file of stations taken from that file's folder."""
    is_path = source != "-" and "://" not in source and source.partition(":")[0] != MICROPHONE
    return os.fspath(file.parent / source) if is_path else source


def _with_own_names(stations: Sequence[Station]) -> list[Station]:
    """Return stations of which no two share a name."""
    found, used = list[Station](), set[str]()
    for station in stations:
        name, number = station.name, 1
        while name in used:
            number += 1
            name = f"{station.name} {number}"
        used.add(name)
        found.append(replace(station, name=name))
    return found


def _is_fifo(path: str) -> bool:
    try:
        return stat.S_ISFIFO(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False  # which is said by whoever opens it
