"""What PortAudio hands over becomes sound; where it is missing, a sentence says what to do."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest

from earmark.errors import OptionError
from earmark.streams.microphone import Capture, MicrophoneSource


def test_blocks_of_any_channels_are_mixed_in_their_order() -> None:
    capture = Capture(clock=lambda: 5.0)
    for value in (0.25, 0.5):
        capture.callback(np.full((10, 2), value, np.float32), 10, None, None)
    first, second = capture.take(wait_seconds=0), capture.take(wait_seconds=0)
    assert first is not None
    assert second is not None
    assert (first[0].tolist(), first[1]) == ([0.25] * 10, 5.0)
    assert second[0].tolist() == [0.5] * 10
    assert capture.take(wait_seconds=0) is None


def test_a_driver_that_gives_what_is_no_sound_does_no_harm() -> None:
    capture = Capture()
    capture.callback(np.array([[np.nan], [np.inf], [1e30], [-0.5]], np.float32), 4, None, None)
    taken = capture.take(wait_seconds=0)
    assert taken is not None
    assert taken[0].tolist() == [0.0, 0.0, 8.0, -0.5]


def test_sound_that_the_device_lost_is_counted() -> None:
    capture = Capture()
    for overflow in (True, False, True):
        capture.callback(np.zeros((10, 1), np.float32), 10, None, SimpleNamespace(input_overflow=overflow))
    assert capture.overflows == 2


@pytest.mark.skipif(importlib.util.find_spec("sounddevice") is not None, reason="the extra mic is installed")
def test_without_the_extra_a_sentence_says_what_to_install() -> None:
    with pytest.raises(OptionError, match=r"pip install 'earmark\[mic\]'.*libportaudio2"):
        MicrophoneSource(rate=16_000)


@pytest.mark.skipif(importlib.util.find_spec("sounddevice") is None, reason="the extra mic is not installed")
def test_a_device_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(OptionError, match="no such device as this"):
        MicrophoneSource("no such device as this", rate=16_000)
