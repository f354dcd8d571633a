"""Tracks, matches and answers as the objects that JSON output and other programs get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from earmark.types import Answer, Match, Track


def track_record(track: Track) -> dict[str, Any]:
    """Return everything known of a track."""
    return {
        "id": track.id,
        "title": track.title,
        "artist": track.artist,
        "album": track.album,
        "path": track.path,
        "seconds": track.seconds,
        "complete": track.complete,
        "added": track.added,
        "tags": dict(track.tags),
    }


def match_record(match: Match) -> dict[str, Any]:
    """Return a match; of its track, what tells it apart."""
    return {
        "track": _named(match.track),
        "confidence": match.confidence,
        "query_start": match.query_start,
        "query_end": match.query_end,
        "reference_start": match.reference_start,
        "reference_end": match.reference_end,
        "position_error": match.position_error,
        "speed": match.speed,
        "pitch": match.pitch,
        "copies": [_named(track) for track in match.copies],
        "evidence": dict(match.evidence),
    }


def _named(track: Track) -> dict[str, Any]:
    return {
        "id": track.id,
        "title": track.title,
        "artist": track.artist,
        "album": track.album,
        "path": track.path,
    }


def answer_record(answer: Answer) -> dict[str, Any]:
    """Return an answer: the object that `identify --json` prints."""
    return {
        "query": {"source": answer.source, "seconds": answer.seconds},
        "matches": [match_record(match) for match in answer.matches],
        "reason": answer.reason,
        "calibrated": answer.calibrated,
        "elapsed": answer.elapsed,
    }
