"""Chained Ogg whose links differ, as recordings of stations are: each is read as a file of its own."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from earmark.audio.chain import links_of
from earmark.audio.decode import load
from tests.audio.encoding import encode_as, music

RATE = 8_000
SOUND = music(2.0)


def vorbis(sound: np.ndarray, rate: int = 44_100) -> bytes:
    spool = io.BytesIO()
    soundfile.write(spool, sound, rate, format="OGG", subtype="VORBIS")
    return spool.getvalue()


LINKS = {
    "stereo": vorbis(SOUND),
    "mono": vorbis(SOUND[:, :1]),
    "slower": vorbis(SOUND[::2], 22_050),
    "opus": encode_as("opus", SOUND),
}


def loudness(samples: np.ndarray) -> list[float]:
    """Return the loudness of each piece of 2 s."""
    return [float(np.sqrt(np.mean(piece**2))) for piece in np.array_split(samples, round(len(samples) / RATE / 2))]


@pytest.mark.parametrize(
    "names", [("stereo", "mono"), ("mono", "slower", "stereo"), ("opus", "mono"), ("mono", "opus", "mono")]
)
def test_links_that_differ_are_read_one_after_the_other(names: tuple[str, ...]) -> None:
    samples, report = load(b"".join(LINKS[name] for name in names), rate=RATE)
    assert report.seconds == pytest.approx(2.0 * len(names), abs=0.05)
    assert report.complete
    alone = [loudness(load(LINKS[name], rate=RATE)[0])[0] for name in names]
    assert loudness(samples) == pytest.approx(alone, rel=0.1)


def test_a_damaged_link_costs_its_own_sound_alone() -> None:
    damaged = LINKS["opus"][:28] + bytes(60) + LINKS["opus"][88:]
    _, report = load(LINKS["mono"] + damaged + LINKS["stereo"], rate=RATE)
    assert report.seconds == pytest.approx(4.0, abs=0.05)
    assert not report.complete


def test_links_are_found_wherever_the_blocks_that_are_read_end() -> None:
    for padding in range(1_048_570 - len(LINKS["mono"]), 1_048_580 - len(LINKS["mono"])):
        first, second = links_of(io.BytesIO(LINKS["mono"] + bytes(padding) + LINKS["opus"]))
        assert first.read() == LINKS["mono"] + bytes(padding)
        assert second.read() == LINKS["opus"]


def test_a_single_file_is_no_chain() -> None:
    assert links_of(io.BytesIO(LINKS["opus"])) == []
    assert links_of(io.BytesIO(b"RIFF")) == []
