"""A report of plays, as of a day: airtime a track, a timeline a station, unknown stretches, as HTML or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from earmark.apps.monitor.export import named
from earmark.apps.monitor.records import local, play_record, utc
from earmark.apps.text import amount, clock
from earmark.atomic import written_beside
from earmark.catalog.plays import Play
from earmark.errors import OptionError
from earmark.text import escaped

LEAST_UNKNOWN_SECONDS = 30.0  # seconds without plays from which on a stretch is worth a line
WIDTH, ROW = 1_000, 34  # units of the picture: its width, and the height of one hour's row
BARS = {"foreground": (8, 16), "background": (14, 10), "unknown": (8, 16)}  # top and height in a row
HOUR = 3_600.0

STYLE = """
:root { color-scheme: light dark; --ink: #1a1c20; --soft: #6a6f78; --line: #d8dbe0; --bar: #2f6f9f; --under: #8fb8d4;
  --review: #c98a1b; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --soft: #9aa0aa; --line: #3a3e46; --bar: #6fb0de;
  --under: #3f6f92; --review: #e0ab4a; --paper: #16181c; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1040px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; } p.soft, td.soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; color: var(--soft); } td.n, th.n { text-align: right; }
svg { width: 100%; height: auto; display: block; } svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
.lane { fill: var(--line); opacity: .5; }
.foreground, .unknown { fill: var(--bar); } .background { fill: var(--under); }
.review { fill: var(--review); }
"""


@dataclass(frozen=True, slots=True)
class TrackAirtime:
    """How much of a track was on air."""

    id: str
    name: str
    plays: int
    seconds: float
    background_seconds: float


@dataclass(frozen=True, slots=True)
class StationReport:
    """The plays of one station, and what lies between them."""

    name: str
    plays: tuple[Play, ...]
    since: float
    until: float
    unknown: tuple[tuple[float, float], ...]  # stretches of some length without a play

    @property
    def known_seconds(self) -> float:
        """Seconds in which at least one play was on air."""
        return sum(end - start for start, end in _joined(self.plays))


def station_reports(
    plays: Iterable[Play], *, since: float | None = None, until: float | None = None
) -> list[StationReport]:
    """Return a report a station, over a time or from its first play to its last."""
    ordered = sorted(plays, key=lambda play: (play.station, play.start, play.number))
    reports = []
    for name, group in groupby(ordered, key=lambda play: play.station):
        mine = tuple(group)
        begun = mine[0].start if since is None else since
        ended = max(play.end for play in mine) if until is None else until
        reports.append(StationReport(name, mine, begun, ended, tuple(_between(_joined(mine), begun, ended))))
    return reports


def airtimes(plays: Iterable[Play]) -> list[TrackAirtime]:
    """Return the tracks, that of the most airtime first."""
    by_id: dict[str, list[Play]] = {}
    for play in plays:
        by_id.setdefault(play.track.id, []).append(play)
    found = [
        TrackAirtime(
            id,
            named(mine[0]),
            len(mine),
            sum(play.seconds for play in mine),
            sum(play.seconds for play in mine if play.prominence == "background"),
        )
        for id, mine in by_id.items()
    ]
    return sorted(found, key=lambda one: (-one.seconds, one.name))


def report_record(plays: Sequence[Play], *, since: float | None = None, until: float | None = None) -> dict[str, Any]:
    """Return a report as what JSON can hold."""
    return {
        "tracks": [
            {
                "id": one.id,
                "name": one.name,
                "plays": one.plays,
                "seconds": round(one.seconds, 3),
                "background_seconds": round(one.background_seconds, 3),
            }
            for one in airtimes(plays)
        ],
        "stations": [
            {
                "station": one.name,
                "since": utc(one.since),
                "until": utc(one.until),
                "known_seconds": round(one.known_seconds, 3),
                "plays": [play_record(play) for play in one.plays],
                "unknown": [{"start": utc(start), "end": utc(end)} for start, end in one.unknown],
            }
            for one in station_reports(plays, since=since, until=until)
        ],
    }


def report_page(plays: Sequence[Play], *, since: float | None = None, until: float | None = None) -> str:
    """Return a report as a page without scripts that needs no other file."""
    stations = station_reports(plays, since=since, until=until)
    tracks = airtimes(plays)
    head = f"{amount(len(plays), 'play')} of {amount(len(tracks), 'track')} on {amount(len(stations), 'station')}"
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Plays</title>',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>',
            f"<h1>Plays</h1><p class=soft>{head}</p>",
            *(_station_section(one) for one in stations),
            "<h2>Airtime</h2>",
            _table(
                ("Track", "Plays", "Airtime", "Under speech"),
                [(one.name, one.plays, clock(one.seconds), clock(one.background_seconds)) for one in tracks],
            ),
            "</body></html>\n",
        ]
    )


def write_report(path: Path, plays: Sequence[Play], *, since: float | None = None, until: float | None = None) -> None:
    """Write a report, as JSON where the file's name ends with .json; raises OptionError for a file that cannot be."""
    if path.suffix.lower() == ".json":
        content = json.dumps(report_record(plays, since=since, until=until), indent=1) + "\n"
    else:
        content = report_page(plays, since=since, until=until)
    try:
        with written_beside(path) as part:
            part.write_text(content, "utf-8")
    except OSError as error:
        raise OptionError(f"{path}: {error.strerror}; name a file that can be written") from error


def _station_section(one: StationReport) -> str:
    length = max(one.until - one.since, 1e-9)
    known = f"{clock(one.known_seconds)} of {clock(length)} known ({one.known_seconds / length:.0%})"
    rows = [
        (
            _clock_time(play.start, play),
            _clock_time(play.end, play),
            clock(play.seconds),
            named(play),
            play.prominence,
            play.state,
        )
        for play in one.plays
    ]
    unknown = [
        (_clock_time(start, one.plays[0]), _clock_time(end, one.plays[0]), clock(end - start))
        for start, end in one.unknown
    ]
    return "\n".join(
        [
            f"<h2>{_text(one.name)}</h2><p class=soft>{_text(known)}</p>",
            _timeline(one),
            _table(("Start", "End", "Length", "Track", "", "State"), rows),
            *(["<p class=soft>Unknown</p>", _table(("Start", "End", "Length"), unknown)] if unknown else []),
        ]
    )


def _timeline(one: StationReport) -> str:
    """Return a picture with a row an hour of local time, a bar a play."""
    offset = one.plays[0].utc_offset
    first = (one.since + offset) // HOUR * HOUR - offset
    hours = max(int(-(-(one.until - first) // HOUR)), 1)
    parts = [f'<svg viewBox="0 0 {WIDTH + 50} {hours * ROW + 18}" role="img" aria-label="timeline">']
    for hour in range(hours):
        top = hour * ROW
        parts.append(f'<text x="0" y="{top + 20}">{_clock_time(first + hour * HOUR, one.plays[0])[11:16]}</text>')
        parts.append(f'<rect class="lane" x="50" y="{top + 6}" width="{WIDTH}" height="20"/>')
    for play in one.plays:
        top, height = BARS[play.prominence]
        kind = play.prominence if play.state == "accepted" else "review"
        for hour, start, end in _by_hour(play.start - first, play.end - first):
            x, width = 50 + start / HOUR * WIDTH, max((end - start) / HOUR * WIDTH, 1.0)
            title = _text(f"{named(play)}, {_clock_time(play.start, play)[11:19]}, {clock(play.seconds)}")
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{hour * ROW + top}" width="{width:.1f}" height="{height}">'
                f"<title>{title}</title></rect>"
            )
    for quarter in range(0, 61, 15):
        parts.append(f'<text x="{50 + quarter / 60 * WIDTH - 8:.0f}" y="{hours * ROW + 14}">:{quarter:02d}</text>')
    return "\n".join([*parts, "</svg>"])


def _by_hour(start: float, end: float) -> Iterable[tuple[int, float, float]]:
    """Yield (hour, start, end) of the parts of a span that lie in each hour, from the hour's beginning."""
    for hour in range(int(start // HOUR), int(end // HOUR) + 1):
        begin, stop = max(start - hour * HOUR, 0.0), min(end - hour * HOUR, HOUR)
        if stop > begin and hour >= 0:
            yield hour, begin, stop


def _joined(plays: Iterable[Play]) -> list[tuple[float, float]]:
    """Return the stretches in which something was on air."""
    found: list[tuple[float, float]] = []
    for play in sorted(plays, key=lambda one: one.start):
        if found and play.start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], play.end)
        else:
            found.append((play.start, play.end))
    return found


def _between(stretches: Sequence[tuple[float, float]], since: float, until: float) -> Iterable[tuple[float, float]]:
    edges = [(since, since), *stretches, (until, until)]
    for (_, end), (start, _) in pairwise(edges):
        if start - end >= LEAST_UNKNOWN_SECONDS:
            yield end, start


def _clock_time(moment: float, play: Play) -> str:
    """Return local time as '2026-11-29 13:00:03'."""
    return local(moment, play.utc_offset)[:19].replace("T", " ")


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{_text(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _text(value: object) -> str:
    return escape(escaped(value))
