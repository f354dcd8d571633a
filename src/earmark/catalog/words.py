"""What is said of a track in words: those of its file, and those that somebody has written over them.

A word is named as its field (title, artist, album), or 'tag ' and the name of a tag. A recording's `file_words` hold
what the file says where it was edited, None for a tag that the file lacks; so edits outlast new tags of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from earmark.catalog.backend import Store
from earmark.types import Track

FIELDS = ("title", "artist", "album")
_TAG = "tag "

Words = Mapping[str, str | None]


def edit(store: Store, id: str, changes: Mapping[str, Any], *, reset: bool) -> Track:
    """Change a track and return it, inside a transaction; with `reset` what its file says is changed instead."""
    number = store.number_of(id)
    known = store.recording(number)
    before = without_edits(known.track, known.file_words) if reset else known.track
    track = replace(before, **changes)
    store.change(number, track, file_words=note_edits(before, track, {} if reset else known.file_words))
    if "path" in changes:  # it was read from a copy that goes: it has no file to miss
        store.forget_files(number)
    return track


def note_edits(before: Track, after: Track, file_words: Words) -> dict[str, str | None]:
    """Return the file's words after a track was edited."""
    old, new = _words(before), _words(after)
    edited = {name: old.get(name) for name in {**old, **new} if old.get(name) != new.get(name)}
    return {**edited, **file_words}


def with_edits(of_file: Track, edited: Track, file_words: Words) -> tuple[Track, dict[str, str | None]]:
    """Return (track, file words) of a file that was read anew, with the edits that were made of it before."""
    old, new = _words(edited), _words(of_file)
    return _changed(of_file, {name: old.get(name) for name in file_words}), {name: new.get(name) for name in file_words}


def without_edits(track: Track, file_words: Words) -> Track:
    """Return a track in the words of its file."""
    return _changed(track, file_words)


def _words(track: Track) -> dict[str, str]:
    fields = {name: getattr(track, name) for name in FIELDS}
    return fields | {_TAG + name: text for name, text in track.tags.items()}


def _changed(track: Track, words: Words) -> Track:
    fields: dict[str, Any] = {name: text or "" for name, text in words.items() if name in FIELDS}
    tags = dict(track.tags)
    for name, text in words.items():
        if name.startswith(_TAG):
            tags.pop(name.removeprefix(_TAG), None)
            if text is not None:
                tags[name.removeprefix(_TAG)] = text
    return replace(track, **fields, tags=tags)
