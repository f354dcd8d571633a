"""Tracks, matches and answers as the objects that JSON output and other programs get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from earmark.types import Answer, Chapter, Duplicate, DuplicateGroup, Match, Repeat, Track


def track_record(track: Track) -> dict[str, Any]:
    """Return everything known of a track."""
    return {
        **_named(track),
        "seconds": track.seconds,
        "complete": track.complete,
        "added": track.added,
        "tags": dict(track.tags),
        "chapters": [_chapter_record(one) for one in track.chapters],
    }


def _chapter_record(chapter: Chapter) -> dict[str, Any]:
    return {"start": chapter.start, "title": chapter.title, "artist": chapter.artist}


def match_record(match: Match) -> dict[str, Any]:
    """Return a match; of its track, what tells it apart, and the chapter that it lies in for the most part."""
    chapter = match.track.chapter_at((match.reference_start + match.reference_end) / 2)
    return {
        "track": _named(match.track),
        "chapter": chapter and _chapter_record(chapter),
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
        "query": {"source": answer.source, "seconds": answer.seconds, "complete": answer.complete},
        "matches": [match_record(match) for match in answer.matches],
        "reason": answer.reason,
        "threshold": answer.threshold,
        "calibrated": answer.calibrated,
        "expected_false_rate": answer.expected_false_rate,
        "elapsed": answer.elapsed,
    }


def group_record(group: DuplicateGroup) -> dict[str, Any]:
    """Return a group of duplicates: the object that `duplicates --json` prints."""
    return {
        "tracks": [{**_named(track), "seconds": track.seconds} for track in group.tracks],
        "parts": [{**_named(track), "seconds": track.seconds} for track in group.parts],
        "pairs": [_pair_record(pair) for pair in group.pairs],
    }


def repeat_record(number: int, item: Repeat) -> dict[str, Any]:
    """Return what recurs: the object that `repeats --json` prints."""
    places = [{"path": one.track.path, "start": one.start, "end": one.end} for one in item.places]
    return {"item": number, "seconds": item.seconds, "places": places}


def _pair_record(pair: Duplicate) -> dict[str, Any]:
    ranges = [
        {
            "first_start": one.first_start,
            "first_end": one.first_end,
            "second_start": one.second_start,
            "second_end": one.second_end,
            "speed": one.speed,
        }
        for one in pair.ranges
    ]
    ids = {"first": pair.first.id, "second": pair.second.id}
    return {**ids, "relation": pair.relation, "share": pair.share, "speed": pair.speed, "ranges": ranges}
