"""Plays and events as the objects that JSON output, webhooks and other programs get."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from earmark.apps.monitor.events import MonitorEvent
from earmark.catalog.plays import Play


def utc(moment: float) -> str:
    """Return seconds since 1970 as '2026-11-29T12:00:03.250Z'."""
    return _at(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local(moment: float, utc_offset: float) -> str:
    """Return seconds since 1970 in local time, as '2026-11-29T13:00:03.250+01:00'."""
    return _at(moment).astimezone(timezone(timedelta(seconds=utc_offset))).isoformat(timespec="milliseconds")


def play_record(play: Play) -> dict[str, Any]:
    """Return a play."""
    track = play.track
    return {
        "play": play.number,
        "station": play.station,
        "track": {
            "id": track.id,
            "title": track.title,
            "artist": track.artist,
            "album": track.album,
            "path": track.path,
        },
        "start": utc(play.start),
        "end": utc(play.end),
        "local_start": local(play.start, play.utc_offset),
        "local_end": local(play.end, play.utc_offset),
        "seconds": round(play.seconds, 3),
        "source_start": round(play.source_start, 3),
        "reference_start": round(play.reference_start, 3),
        "reference_end": round(play.reference_end, 3),
        "share": round(play.share, 4),
        "prominence": play.prominence,
        "confidence": play.confidence,
        "state": play.state,
        "open": play.is_open,
        "copies": list(play.copies),
        "stream_title": play.note,
        "evidence": dict(play.evidence),
    }


def event_record(event: MonitorEvent) -> dict[str, Any]:
    """Return an event; one that is about a play holds it."""
    about = {"play": play_record(event.play)} if event.play is not None else {}
    return {"event": event.kind, "station": event.station, "at": utc(event.at), **about, **event.detail}


def _at(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)
