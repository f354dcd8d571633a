"""Which tracks a person means: by id, by path, or by words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earmark.apps.text import amount, shown_path
from earmark.errors import TrackNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earmark.catalog.tracks import Tracks
    from earmark.types import Track

TRACK_HELP = "its id, or how that begins; a path; or words of its title, artist or album"
MOST_NAMED = 5  # tracks that a message lists where words fit several


def named_tracks(catalog: Tracks, text: str) -> Sequence[Track]:
    """Return the tracks that an id or a path names, or the one that words fit; raises TrackNotFound."""
    found = catalog.select(text)
    if len(found) == 1 or "/" in text or all(_lies_below(track, text) for track in found):
        return found
    raise TrackNotFound(f"{text!r} fits {amount(len(found), 'track')}; say which: {_listed(found)}")


def one_track(catalog: Tracks, text: str) -> Track:
    """Return the only track that is meant; raises TrackNotFound for none and for several."""
    found = catalog.select(text)
    if len(found) > 1:
        raise TrackNotFound(f"{text!r} fits {amount(len(found), 'track')}; say which: {_listed(found)}")
    return found[0]


def short_ids(tracks: Sequence[Track]) -> list[str]:
    """Return ids cut to as few characters as tell them all apart, six at least."""
    ids = [track.id for track in tracks]
    longest = max(map(len, ids), default=0)
    for digits in range(6, longest):
        if len({one[:digits] for one in ids}) == len(ids):
            return [one[:digits] for one in ids]
    return ids


def _lies_below(track: Track, folder: str) -> bool:
    return shown_path(track.path).startswith(folder.rstrip("/") + "/")


def _listed(tracks: Sequence[Track]) -> str:
    named = list(zip(short_ids(tracks), tracks, strict=True))[:MOST_NAMED]
    names = [f"{id} ({shown_path(track.path) or track.title})" for id, track in named]
    return ", ".join(names) + (f", and {len(tracks) - MOST_NAMED:,} more" if len(tracks) > MOST_NAMED else "")
