"""Segments of a spectrogram are encoded as they come, each once, whatever the chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.fingerprints.mel import QUIETEST, LogMel
from earmark.fingerprints.neural import BATCH
from earmark.fingerprints.segments import SegmentEncoding

BANDS, SEGMENT = LogMel().bands, LogMel().segment_frames


class Network:
    """A network that says of a segment where it begins: each frame holds its own number."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, segments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert segments.shape[1:] == (BANDS, SEGMENT)
        self.batches.append(len(segments))
        first, last = segments[:, 0, 0], segments[:, 0, -1]
        heard = segments.max(axis=(1, 2)) > np.log10(QUIETEST)
        values = np.stack([first % 100, last % 100, segments[:, 0, SEGMENT // 2] % 100], axis=1)
        return heard, values[heard].astype(np.int8)


def spectrogram(frames: int) -> np.ndarray:
    return np.repeat(np.arange(frames, dtype=np.float32)[:, None], BANDS, axis=1)


def encoding_of(network: Network, *, hop: int = 4, margin: int = 12) -> SegmentEncoding:
    return SegmentEncoding(network, LogMel(), dimensions=3, hop=hop, margin=margin)


def encoded(frames: int, *, cuts: list[int], hop: int = 4, margin: int = 12) -> tuple[np.ndarray, np.ndarray]:
    encoding = encoding_of(Network(), hop=hop, margin=margin)
    *chunks, last = np.split(spectrogram(frames), sorted(cut for cut in cuts if cut <= frames))
    for chunk in chunks:
        encoding.push(chunk)
    return encoding.take([last])


@settings(deadline=None, max_examples=60)
@given(
    frames=st.integers(0, 400),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    shape=st.sampled_from([(4, 12), (16, 0), (8, 0), (1, 3)]),
)
def test_segments_lie_every_hop_and_hold_their_own_frames(frames: int, cuts: list[int], shape: tuple[int, int]) -> None:
    hop, margin = shape
    at, values = encoded(frames, cuts=cuts, hop=hop, margin=margin)
    if frames == 0:
        assert len(at) == len(values) == 0
        return
    count = 1 + max(-(-(frames + 2 * margin - SEGMENT) // hop), 0)
    heard = [first for first in (number * hop - margin for number in range(count)) if first + SEGMENT > 1]
    assert at.tolist() == [first for first in heard if first < frames]
    for first, (begin, end, middle) in zip(at.tolist(), values.tolist(), strict=True):
        for value, frame in ((begin, first), (end, first + SEGMENT - 1), (middle, first + SEGMENT // 2)):
            silence = np.int8(np.float32(np.log10(QUIETEST)) % 100)
            assert value == (frame % 100 if 0 <= frame < frames else silence)


def test_batches_are_always_as_large_but_for_the_end() -> None:
    network = Network()
    encoding = encoding_of(network)
    for chunk in np.split(spectrogram(500), range(7, 500, 7)):
        encoding.push(chunk)
    assert set(network.batches) == {BATCH}
    encoding.take([])
    assert network.batches[-1] <= BATCH


def test_what_is_taken_is_as_if_the_sound_ended_there_and_changes_nothing() -> None:
    encoding = encoding_of(Network())
    sound = spectrogram(400)
    for end in range(0, 400, 37):
        for rest in (sound[end : end + 5], sound[end:]):
            at, values = encoding.take([rest])
            wanted, vectors = encoded(end + len(rest), cuts=[end])
            assert np.array_equal(at, wanted)
            assert np.array_equal(values, vectors)
        encoding.push(sound[end : end + 37])


def test_what_is_forgotten_is_not_given_out_again_and_takes_no_room() -> None:
    encoding = encoding_of(Network())
    sound = spectrogram(4_000)
    whole, _ = encoded(4_000, cuts=[])
    for end in range(0, 4_000, 100):
        encoding.push(sound[end : end + 100])
        encoding.forget(end - 200)
        assert len(encoding._done) <= 2 + 300 // (4 * BATCH)
        assert len(encoding._held) < BATCH * 4 + SEGMENT + 100
    at, _ = encoding.take([])
    assert at[0] <= 3_700
    assert np.array_equal(at, whole[whole >= at[0]])


def test_silent_batches_are_forgotten_too() -> None:
    encoding = encoding_of(Network())
    silence = np.full((4_000, BANDS), np.log10(QUIETEST), np.float32)
    encoding.push(silence)
    encoding.forget(4_000)
    assert encoding._done == []
    at, values = encoding.take([])
    assert (at.shape, values.shape) == ((0,), (0, 3))


@pytest.mark.parametrize("frames", [1, 8, 31, 32, 33])
def test_sound_shorter_than_a_segment_has_one(frames: int) -> None:
    at, _ = encoded(frames + 1, cuts=[], hop=16, margin=0)
    assert at.tolist() == ([0] if frames < 32 else [0, 16])
