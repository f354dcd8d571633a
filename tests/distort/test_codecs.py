from __future__ import annotations

import numpy as np
import pytest

from earmark.distort.codecs import CODECS, transcode
from earmark.errors import OptionError
from tests.distort.conftest import RATE


def lag(decoded, clip):
    likeness = np.correlate(np.pad(decoded, 1_000), clip, mode="valid")
    return int(np.argmax(likeness)) - 1_000


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_leaves_the_music_in_its_place(recordings, codec):
    for clip in recordings[:4, 5 * RATE : 8 * RATE]:
        decoded = transcode(clip, codec, rate=RATE, bit_rate=32_000)
        assert decoded.shape == clip.shape
        assert abs(lag(decoded, clip)) <= 1
        assert np.corrcoef(decoded, clip)[0, 1] > 0.9
        assert np.abs(decoded - clip).max() > 1e-4  # it is lossy


def test_the_last_samples_are_there(recordings):
    clip = recordings[2, 5 * RATE : 7 * RATE]
    for codec in CODECS:
        decoded = transcode(clip, codec, rate=RATE)
        assert np.mean(decoded[-400:] ** 2) > 0.2 * np.mean(clip[-400:] ** 2)


def test_a_batch_is_as_its_clips_alone(recordings):
    clips = recordings[:2, :RATE]
    together = transcode(clips, "mp3", rate=RATE)
    for row in range(2):
        np.testing.assert_allclose(together[row], transcode(clips[row], "mp3", rate=RATE), atol=1e-6)


def test_an_unknown_codec_is_refused(recordings):
    with pytest.raises(OptionError, match="codec='atrac'; give one of mp3"):
        transcode(recordings[0], "atrac", rate=RATE)


def test_a_bit_rate_that_a_codec_does_not_have_is_refused(recordings):
    with pytest.raises(OptionError, match=r"opus at 10000000 bit/s and 8000 Hz: .*; give another bit rate"):
        transcode(recordings[0, :RATE], "opus", rate=RATE, bit_rate=10_000_000)
