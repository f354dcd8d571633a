"""A file is known to be another one when it was written to or replaced while it was read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from threading import Event

import pytest

from earmark.errors import MediaError
from earmark.extract.watched import watched

LONG_AGO = 1_000_000_000  # seconds since 1970: a time of change that says all


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "sound.wav"
    written.write_bytes(b"sound" * 1_000)
    os.utime(written, (LONG_AGO, LONG_AGO))
    return written


def test_its_digest_is_that_of_its_content_and_it_is_read_from_its_beginning(path: Path) -> None:
    with watched(str(path)) as source:
        assert source.digest(Event()) == hashlib.sha256(path.read_bytes()).digest()
        assert source.file.read(5) == b"sound"
        assert not source.has_changed()


def test_it_has_changed_when_it_was_written_to_or_replaced(path: Path) -> None:
    with watched(str(path)) as source:
        path.write_bytes(b"other")
        assert source.has_changed()
    with watched(str(path)) as source:
        path.with_name("new").write_bytes(b"other")
        path.with_name("new").replace(path)
        assert source.has_changed()


def test_a_change_that_its_time_does_not_tell_is_found_in_its_content(path: Path) -> None:
    os.utime(path)  # just now
    with watched(str(path)) as source:
        content, times = source.digest(Event()), (source.status.st_atime_ns, source.status.st_mtime_ns)
        path.write_bytes(b"other" * 1_000)
        os.utime(path, ns=times)
        assert not source.has_changed()
        assert source.differs_from(content, Event())


def test_reading_ends_when_it_is_told_to(path: Path) -> None:
    stop = Event()
    stop.set()
    with watched(str(path)) as source, pytest.raises(MediaError, match="the run was ended"):
        source.digest(stop)
