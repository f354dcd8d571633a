"""A fingerprint is the same from a file, bytes or samples, and needs no catalog."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import earmark
from earmark.audio.decode import load
from earmark.errors import MediaError, OptionError, SpecMismatch
from earmark.extract.fingerprint import extract_samples, fingerprint_of
from earmark.fingerprints import make

RATE = make("shazam").rate


def test_a_path_bytes_and_samples_have_the_same_fingerprint(music: Sequence[Path], alike) -> None:
    samples, _ = load(music[0], rate=RATE)
    sources = (music[0], str(music[0]), music[0].read_bytes(), (samples, RATE))
    first, *others = [fingerprint_of(source, "shazam", {}, query=True) for source in sources]
    assert all(alike(first, other) for other in others)


def test_a_fingerprint_is_its_own_and_another_kind_is_refused(music: Sequence[Path]) -> None:
    fingerprint = fingerprint_of((load(music[0], rate=RATE)[0], RATE), "shazam", {}, query=False)
    assert fingerprint_of(fingerprint, "shazam", {}, query=False) is fingerprint
    with pytest.raises(SpecMismatch, match="shazam/"):
        fingerprint_of(fingerprint, "shazam", {"density": "lean"}, query=False)


def test_samples_are_extracted_in_this_process(music: Sequence[Path], started, here, alike) -> None:
    samples, _ = load(music[0], rate=RATE)
    extracted = extract_samples(samples, RATE, make("shazam"), query=False)
    assert alike(extracted.fingerprint, here(music[0]))
    assert (extracted.packed, extracted.complete, extracted.silent) == (b"", True, False)
    assert extracted.seconds == pytest.approx(len(samples) / RATE)
    assert extracted.features == len(extracted.fingerprint.layers["peaks"].frames)
    assert started == []


def test_samples_without_sound_are_silent() -> None:
    for samples in (np.zeros(RATE, np.float32), np.zeros(0, np.float32), np.full((RATE, 2), 5e-5, np.float32)):
        assert extract_samples(samples, RATE, make("shazam"), query=True).silent


def test_no_child_is_left_behind(music: Sequence[Path], started) -> None:
    fingerprint_of(music[0], "shazam", {}, query=False)
    with pytest.raises(MediaError):
        fingerprint_of(b"no music", "shazam", {}, query=False)
    assert [process.poll() is not None for process in started] == [True, True]


def test_it_is_what_earmark_gives(music: Sequence[Path], here, alike) -> None:
    assert alike(earmark.fingerprint(music[3], fingerprinter="shazam", query=True), here(music[3], query=True))
    with pytest.raises(OptionError, match="is no file"):
        earmark.fingerprint(7, fingerprinter="shazam")  # type: ignore[arg-type]
