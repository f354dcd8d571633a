"""Whatever a source is, a child gets a file with a descriptor, and people see a name that is safe to print."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.errors import MediaError, OptionError
from earmark.extract.fingerprint import fingerprint_of
from earmark.extract.protocol import ExtractLimits
from earmark.extract.sources import Source, name_of, opened

LIMITS = ExtractLimits()


def content_of(source: Source, limits: ExtractLimits = LIMITS) -> bytes:
    with opened(source, limits) as file:
        assert file.fileno() > 0
        return file.read()


def test_a_path_bytes_and_a_file_are_opened_alike(music: Sequence[Path]) -> None:
    content = music[0].read_bytes()
    assert content_of(music[0]) == content_of(str(music[0])) == content
    assert content_of(content) == content_of(bytearray(content)) == content_of(memoryview(content)) == content
    assert content_of(io.BytesIO(content)) == content
    with music[0].open("rb") as file:
        assert content_of(file) == content


def test_a_stream_is_read_from_where_it_stands(music: Sequence[Path]) -> None:
    with music[0].open("rb") as file:
        file.seek(1_000)
        assert content_of(file) == music[0].read_bytes()[1_000:]


def test_an_upload_that_is_too_large_is_refused(music: Sequence[Path]) -> None:
    content = music[0].read_bytes()
    assert content_of(content, ExtractLimits(largest_upload_bytes=len(content))) == content
    with pytest.raises(MediaError, match="too_large: more than 1,000 bytes; pass a file by its path"):
        content_of(content, ExtractLimits(largest_upload_bytes=1_000))


def test_what_is_no_file_is_refused(music: Sequence[Path], tmp_path: Path) -> None:
    fingerprint = fingerprint_of((np.zeros(11_025, np.float32), 11_025), "shazam", {}, query=False)
    for source in (7, None, (np.zeros(9), 8_000), fingerprint):
        with pytest.raises(OptionError, match="is no file; give a path"):
            content_of(source)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"samples without their rate; give \(samples, rate\)"):
        content_of(np.zeros(9))  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="open it as bytes"):
        content_of(io.StringIO("la la la"))  # type: ignore[arg-type]
    with pytest.raises(MediaError, match="that is an address, and earmark reads files: download it first"):
        fingerprint_of("https://music.example/song.mp3", "shazam", {}, query=False)
    with pytest.raises(MediaError, match="No such file"):
        content_of(tmp_path / "missing.wav")


def test_every_source_has_a_name_that_is_safe_to_print(music: Sequence[Path]) -> None:
    fingerprint = fingerprint_of((np.zeros(11_025, np.float32), 11_025), "shazam", {}, query=False)
    assert name_of("a\x1b[31m\u202ec.wav") == "a[31mc.wav"
    assert name_of(music[0]) == str(music[0])
    assert name_of(b"four") == "4 bytes"
    assert name_of((np.zeros(9), 8_000)) == "samples"
    assert name_of(fingerprint) == "fingerprint"
    assert name_of(io.BytesIO()) == "stream"
    with music[0].open("rb") as file:
        assert name_of(file) == str(music[0])
