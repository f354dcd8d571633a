"""The child's task finds in a file what is found in its samples, and says every minute how far it is."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.errors import MediaError
from earmark.extract.task import extract
from earmark.fingerprints import make
from tests.audio.encoding import encode_as
from tests.audio.encoding import music as melody

REQUEST = {"fingerprinter": "shazam", "preset": {}, "query": False, "max_seconds": None}


def ignored(seconds: float) -> None:
    pass


def test_it_packs_the_fingerprint_of_a_file(music: Sequence[Path], here, alike) -> None:
    with music[0].open("rb") as file:
        answer = extract(file, REQUEST, ignored)
    assert alike(make("shazam").unpack(answer["packed"]), here(music[0]))
    assert answer["seconds"] == pytest.approx(soundfile.info(music[0]).duration, abs=0.05)
    assert (answer["complete"], answer["silent"]) == (True, False)
    assert answer["tags"]["title"]


def test_a_preset_shapes_the_fingerprint(music: Sequence[Path]) -> None:
    with music[0].open("rb") as file:
        answer = extract(file, {**REQUEST, "preset": {"density": "lean"}}, ignored)
    assert make("shazam", density="lean").unpack(answer["packed"]).spec.name == "shazam"


def test_it_says_every_minute_how_far_it_is(music: Sequence[Path]) -> None:
    samples, rate = soundfile.read(music[0], dtype="float32")
    spool, told = io.BytesIO(), list[float]()
    soundfile.write(spool, np.tile(samples, 6), rate, format="FLAC")
    spool.seek(0)
    seconds = extract(spool, REQUEST, told.append)["seconds"]
    assert told == pytest.approx([60 * minute for minute in range(1, len(told) + 1)], abs=10)
    assert len(told) == seconds // 60


def test_a_file_that_broke_off_is_incomplete_and_a_silent_one_silent() -> None:
    whole = encode_as("flac", melody(6.0))
    assert not extract(io.BytesIO(whole[: len(whole) // 2]), REQUEST, ignored)["complete"]
    assert extract(io.BytesIO(encode_as("flac", 1e-5 * melody(3.0))), REQUEST, ignored)["silent"]


def test_a_limit_holds(music: Sequence[Path]) -> None:
    with music[0].open("rb") as file, pytest.raises(MediaError, match="too_long: longer than 5 s"):
        extract(file, {**REQUEST, "max_seconds": 5.0}, ignored)
