"""Sound that is sent as it is recorded, decoded in a child."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
import soundfile

from earmark.errors import MediaError
from earmark.extract.live import LiveDecoders

RATE = 48_000


@pytest.fixture(scope="module")
def decoders():
    one = LiveDecoders(2)
    one.start()
    yield one
    one.close()


@pytest.fixture(scope="module")
def recorded(music):
    """Three seconds as WebM with Opus, and their samples."""
    samples, _ = soundfile.read(music[0], frames=3 * RATE, dtype="int16")
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as written:
        stream = written.add_stream("libopus", rate=RATE)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            written.mux(packet)
    return file.getvalue(), samples / 32_768


def received(sound, *, most=None):
    """Return the samples that come out, all of them or the first ones."""
    blocks, count = [], 0
    while (most is None or count < most) and (block := sound.next_block()) is not None:
        blocks.append(block)
        count += len(block)
    return np.concatenate(blocks)


def test_samples_come_out_before_the_stream_has_ended_and_all_of_them_do(decoders, recorded):
    data, samples = recorded
    sound = opened(decoders)
    sound.socket.sendall(data[: len(data) // 2])
    first = received(sound, most=RATE)
    sound.socket.sendall(data[len(data) // 2 :])
    sound.socket.shutdown(1)
    heard = np.concatenate([first, received(sound)])
    sound.close()
    assert len(heard) == pytest.approx(len(samples), abs=0.03 * RATE)
    lag = np.argmax(np.correlate(heard[RATE : 2 * RATE], samples[RATE + 2_000 : 2 * RATE - 2_000], "valid"))
    assert lag == pytest.approx(2_000, abs=0.01 * RATE)


def test_what_is_no_sound_is_told_and_the_child_goes_on(decoders, recorded):
    for junk in (b"junk" * 4_000, b""):
        sound = opened(decoders)
        sound.socket.sendall(junk)
        sound.socket.shutdown(1)
        with pytest.raises(MediaError) as refused:
            sound.next_block()
        assert refused.value.code == "unreadable"
        sound.close()
    sound = opened(decoders)
    sound.socket.sendall(recorded[0])
    assert len(received(sound, most=RATE)) >= RATE
    sound.close()


def opened(decoders):
    sound = decoders.open(rate=RATE)
    assert sound is not None
    return sound


def test_there_are_so_many_streams_and_a_closed_one_makes_room(decoders, recorded):
    first, second = opened(decoders), opened(decoders)
    assert decoders.open(rate=RATE) is None
    for one in (first, second):
        one.socket.sendall(recorded[0][:500])
        one.close()
    again = opened(decoders)
    again.socket.sendall(recorded[0])
    assert len(received(again, most=RATE)) >= RATE
    again.close()
