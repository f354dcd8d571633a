"""Learned fingerprints: segments where they belong, the same for any blocks and batches, packed without loss."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from earmark.audio.decode import load
from earmark.errors import OptionError, SpecMismatch
from earmark.fingerprints.mel import LogMel, log_mel_segments
from earmark.fingerprints.neural import BATCH, SCALE, Neural
from earmark.fingerprints.protocol import Constellations, Segmented
from earmark.types import Fingerprint

RATE = 8_000
FRAME = 250  # samples


@cache
def maker(peaks: bool = True) -> Neural:
    return Neural(peaks=peaks)


@pytest.fixture(scope="module")
def samples(music: Sequence[Path]) -> np.ndarray:
    return load(music[2], rate=RATE)[0]  # one that does not repeat itself


@pytest.fixture(scope="module")
def whole(samples: np.ndarray) -> Fingerprint:
    return maker().extract(samples)


def noise(seconds: float, seed: int = 1) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=round(seconds * RATE)) * 0.1).astype(np.float32)


def with_noise(sound: np.ndarray, decibels: float) -> np.ndarray:
    hiss = np.random.default_rng(1).normal(size=len(sound)) * np.sqrt(np.mean(sound**2) / 10 ** (decibels / 10))
    return (sound + hiss).astype(np.float32)


def same(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether two fingerprints are equal, with what is beside them."""
    if (one.beside is None) != (other.beside is None):
        return False
    beside = one.beside is None or other.beside is None or same(one.beside, other.beside)
    figures = (one.spec, one.seconds) == (other.spec, other.seconds)
    return figures and beside and np.array_equal(one.frames, other.frames) and np.array_equal(
        one.features, other.features
    )  # fmt: skip


def network(path: Path, shape: LogMel, *, dimensions: int = 32, **said: str) -> Path:
    """A network of one layer that nobody trained, as `earmark train` would write it for this front end."""
    size = shape.bands * shape.segment_frames
    weights = np.random.default_rng(0).normal(size=(size, dimensions)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["segments"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["mixed"]),
            helper.make_node("LpNormalization", ["mixed"], ["vectors"], axis=1, p=2),
        ],
        "tiny",
        [helper.make_tensor_value_info("segments", TensorProto.FLOAT, ["n", 1, shape.bands, shape.segment_frames])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", dimensions])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(
        model, said or {"front_end": json.dumps(asdict(shape)), "dimensions": str(dimensions), "licence": "CC0-1.0"}
    )
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Neural]:
    """With peaks and without, of a network that takes no time."""
    model = network(tmp_path_factory.mktemp("models") / "small.onnx", LogMel())
    return {peaks: Neural(model=str(model), peaks=peaks) for peaks in (False, True)}


# --- what it is


def test_it_is_a_fingerprinter_of_segments_and_no_constellation() -> None:
    assert isinstance(maker(), Segmented)
    assert not isinstance(maker(), Constellations)
    assert isinstance(maker().peaks, Constellations)
    assert maker(peaks=False).peaks is None


def test_frames_and_hops_are_those_of_the_documentation() -> None:
    neural = maker()
    assert (neural.rate, neural.frame_seconds, neural.segment_frames) == (8_000, 0.03125, 32)
    assert neural.hop_frames * neural.frame_seconds == 0.5
    assert neural.query_hop_frames * neural.frame_seconds == 0.125
    assert neural.fewest_features == 1
    assert maker().peaks is not None
    assert maker().peaks.frame_seconds == neural.frame_seconds / 2  # type: ignore[union-attr]


def test_vectors_have_length_one_up_to_rounding(whole: Fingerprint) -> None:
    vectors = maker().vectors(whole)
    assert whole.features.dtype == np.int8
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(whole.frames), maker().dimensions)
    assert np.array_equal(np.rint(vectors * SCALE), whole.features)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=0.02)


def test_what_an_index_stores_are_the_vectors(whole: Fingerprint) -> None:
    frames, vectors = maker().terms(whole)
    assert np.array_equal(frames, whole.frames)
    assert np.array_equal(vectors, whole.features)


# --- where segments are


@pytest.mark.parametrize("frames", [1, 9, 31, 32, 33, 47, 48, 49, 64, 271, 272, 273, 287, 288, 289, 304, 528, 544, 545])
def test_stored_segments_are_as_few_as_hold_every_frame(small: dict[bool, Neural], frames: int) -> None:
    fingerprint = small[False].extract(noise(frames * FRAME / RATE))
    count = 1 + max(-(-(frames - 32) // 16), 0)
    assert fingerprint.frames.tolist() == [16 * number for number in range(count)]


@pytest.mark.parametrize("frames", [9, 16, 17, 20, 21, 32, 33, 76, 77, 80, 84, 96, 140, 141, 160])
def test_a_querys_segments_reach_three_eighths_over_the_edges(small: dict[bool, Neural], frames: int) -> None:
    fingerprint = small[False].extract(noise(frames * FRAME / RATE), query=True)
    count = 1 + max(-(-(frames - 8) // 4), 0)
    assert fingerprint.frames.tolist() == [4 * number - 12 for number in range(count)]
    last_end = int(fingerprint.frames[-1]) + 32
    assert frames + 12 <= last_end or count == 1
    assert last_end < frames + 12 + 4 or count == 1


@pytest.mark.parametrize("query", [False, True])
def test_a_clip_of_one_second_is_one_segment_and_six_more_around_it_when_it_is_asked_for(query: bool) -> None:
    fingerprint = maker().extract(noise(1.0), query=query)
    assert fingerprint.frames.tolist() == ([-12, -8, -4, 0, 4, 8, 12] if query else [0])
    assert fingerprint.seconds == 1.0


@pytest.mark.parametrize("query", [False, True])
def test_a_third_of_a_second_is_padded_to_a_segment(query: bool) -> None:
    fingerprint = maker().extract(noise(0.3), query=query)
    assert fingerprint.frames.tolist() == ([-12, -8] if query else [0])
    assert fingerprint.features.shape == (2 if query else 1, maker().dimensions)
    assert fingerprint.seconds == pytest.approx(0.3)


@pytest.mark.parametrize("query", [False, True])
@pytest.mark.parametrize("peaks", [False, True])
@pytest.mark.parametrize("sound", [[], [np.zeros(0, np.float32)], [np.zeros(3 * RATE, np.float32)]])
def test_no_sound_and_silence_have_no_features(sound: list[np.ndarray], peaks: bool, query: bool) -> None:
    fingerprint = maker(peaks).extract(sound, query=query)
    assert fingerprint.frames.shape == (0,)
    assert fingerprint.features.shape == (0, maker().dimensions)
    assert fingerprint.features.dtype == np.int8
    assert fingerprint.seconds == sum(map(len, sound)) / RATE
    assert fingerprint.beside is None or len(fingerprint.beside.frames) == 0
    assert same(maker(peaks).unpack(maker(peaks).pack(fingerprint)), fingerprint)


@pytest.mark.parametrize("query", [False, True])
def test_silence_in_the_middle_keeps_its_time_and_gets_no_vector(samples: np.ndarray, query: bool) -> None:
    before, after = samples[: 2 * RATE], samples[2 * RATE : 5 * RATE]
    gap = np.zeros(3 * RATE, np.float32)
    fingerprint = maker().extract(np.concatenate([before, gap, after]), query=query)
    begins = fingerprint.frames / 32  # seconds
    quiet = (begins >= 2.1) & (begins + 1 <= 4.9)
    assert not quiet.any()
    hop = 4 if query else 16
    missing = np.flatnonzero(np.diff(fingerprint.frames) != hop)
    assert len(missing) == 1
    # What comes after the silence is what it would be without it, three seconds earlier.
    alone = maker().extract(np.concatenate([before, after]), query=query)
    vectors, others = (
        dict(zip(one.frames.tolist(), maker().vectors(one), strict=True)) for one in (fingerprint, alone)
    )
    late = [frame for frame in vectors if frame >= (2 + 3) * 32 + 2]
    assert len(late) > 3
    assert all(float(vectors[frame] @ others[frame - 96]) > 0.97 for frame in late)


def test_a_silent_segment_is_left_out_of_a_batch_without_changing_the_others(samples: np.ndarray) -> None:
    shape = LogMel()
    raw = log_mel_segments(np.stack([samples[RATE * n :][: shape.segment_samples] for n in range(6)]), shape)
    heard, vectors = maker().encode(raw)
    assert heard.all()
    raw[[1, 4]] = -10.0
    heard, fewer = maker().encode(raw)
    assert heard.tolist() == [True, False, True, True, False, True]
    assert np.array_equal(fewer, vectors[[0, 2, 3, 5]])


# --- the same, however it comes


@pytest.mark.parametrize("query", [False, True])
@pytest.mark.parametrize("peaks", [False, True])
@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 90_000), max_size=40))
def test_any_blocks_give_the_same_fingerprint(
    samples: np.ndarray, small: dict[bool, Neural], peaks: bool, query: bool, cuts: list[int]
) -> None:
    sound = samples[:90_000]  # 11.25 s: more than a chunk of peaks, and more than one batch
    blocks = np.split(sound, sorted(cuts))
    assert same(small[peaks].extract(blocks, query=query), small[peaks].extract(sound, query=query))


@pytest.mark.parametrize("size", [1, 249])
def test_tiny_blocks_give_the_same_fingerprint(samples: np.ndarray, size: int) -> None:
    sound = samples[:20_000]
    blocks = (sound[start : start + size] for start in range(0, len(sound), size))
    assert same(maker().extract(blocks, query=True), maker().extract(sound, query=True))


@pytest.mark.parametrize("query", [False, True])
def test_vectors_are_the_same_with_peaks_and_without(samples: np.ndarray, query: bool) -> None:
    one, other = (maker(peaks).extract(samples[: 8 * RATE], query=query) for peaks in (True, False))
    assert np.array_equal(one.frames, other.frames)
    # The same spectra come in other chunks, so a sum may differ in its last bit, and a component by one.
    assert np.abs(one.features.astype(int) - other.features).max() <= 2
    assert one.beside is not None
    assert other.beside is None


@pytest.mark.parametrize("count", [1, 2, 7, BATCH])
def test_neither_the_place_in_a_batch_nor_the_others_matter(count: int) -> None:
    raw = log_mel_segments(np.stack([noise(1.1, seed)[:8_774] for seed in range(BATCH)]), LogMel())
    order = np.random.default_rng(count).permutation(BATCH)[:count]
    _, together = maker().encode(raw)
    _, vectors = maker().encode(raw[order])
    assert np.array_equal(vectors, together[order])


def test_two_makers_give_the_same_fingerprint(samples: np.ndarray) -> None:
    assert same(Neural().extract(samples[: 5 * RATE]), maker().extract(samples[: 5 * RATE]))


def test_loudness_hardly_matters(samples: np.ndarray) -> None:
    loud, quiet = (maker(peaks=False).extract(samples[: 5 * RATE] * np.float32(gain)) for gain in (1.0, 0.05))
    cosines = (maker(peaks=False).vectors(loud) * maker(peaks=False).vectors(quiet)).sum(axis=1)
    assert cosines.min() > 0.98


# --- what the vectors say


def test_the_nearest_stored_segments_of_a_clip_lie_on_its_line(samples: np.ndarray, whole: Fingerprint) -> None:
    begin = 9 * 32 + 8  # frames: between two stored segments
    clip = maker().extract(samples[begin * FRAME :][: 5 * RATE], query=True)
    inside = (clip.frames >= 0) & (clip.frames <= 4 * 32)
    cosines = maker().vectors(clip)[inside] @ maker().vectors(whole).T
    nearest = whole.frames[cosines.argmax(axis=1)]
    assert (np.abs(nearest - (begin + clip.frames[inside])) <= 8).mean() > 0.9


def test_a_noisy_clip_is_nearer_to_its_recording_than_to_another(
    samples: np.ndarray, whole: Fingerprint, music: Sequence[Path]
) -> None:
    other = maker().extract(load(music[4], rate=RATE)[0])
    clip = maker().extract(with_noise(samples[10 * RATE : 15 * RATE], 5.0), query=True)
    own, foreign = ((maker().vectors(clip) @ maker().vectors(one).T).max(axis=1) for one in (whole, other))
    assert (own > foreign).mean() > 0.8


def test_the_peaks_are_those_of_the_same_sound_at_the_same_time() -> None:
    silence = np.zeros(RATE // 2, np.float32)
    click = np.sin(2 * np.pi * 1_000 * np.arange(RATE // 10) / RATE).astype(np.float32)
    fingerprint = maker().extract(np.concatenate([silence, click, silence]))
    peaks = maker().peaks
    assert fingerprint.beside is not None
    assert peaks is not None
    frames, bins = peaks.points(fingerprint.beside)
    there = np.abs(bins * RATE / 1_024 - 1_000) < 12
    assert there.any()
    # Frame k of the peaks is centred 125 k + 125 samples into the sound, as the network's are on 250 k + 125.
    assert np.abs((125 * frames[there] + 125) / RATE - 0.55).min() < 0.02


def test_a_query_has_more_peaks_than_what_is_stored(samples: np.ndarray, whole: Fingerprint) -> None:
    query = maker().extract(samples, query=True)
    assert query.beside is not None
    assert whole.beside is not None
    assert len(query.beside.frames) > len(whole.beside.frames) > 500


# --- packing


def test_what_is_packed_comes_back_and_takes_a_byte_a_component(whole: Fingerprint) -> None:
    packed = maker().pack(whole)
    assert same(maker().unpack(packed), whole)
    alone = maker(peaks=False).pack(Fingerprint(maker(peaks=False).spec, whole.seconds, whole.frames, whole.features))
    assert len(alone) <= whole.features.size + len(whole.frames) // 8 + 64


@settings(deadline=None, max_examples=40)
@given(
    hop=st.sampled_from([4, 16]),
    first=st.integers(-2, 1_000),
    present=st.lists(st.booleans(), max_size=70),
    seconds=st.floats(0, 1e6),
    seed=st.integers(0, 9),
)
def test_any_gaps_survive_packing(hop: int, first: int, present: list[bool], seconds: float, seed: int) -> None:
    neural = maker(peaks=False)
    frames = ((np.flatnonzero(present) + first) * hop).astype(np.int32)
    vectors = np.random.default_rng(seed).integers(-127, 128, (len(frames), neural.dimensions)).astype(np.int8)
    fingerprint = Fingerprint(neural.spec, seconds, frames, vectors)
    again = neural.unpack(neural.pack(fingerprint))
    assert same(again, fingerprint)
    assert (again.frames.dtype, again.features.dtype) == (np.int32, np.int8)


def test_fingerprints_of_another_kind_are_refused(whole: Fingerprint) -> None:
    foreign = maker(peaks=False)
    for refused in (
        lambda: foreign.unpack(maker().pack(whole)),
        lambda: foreign.pack(whole),
        lambda: foreign.terms(whole),
        lambda: foreign.vectors(whole),
    ):
        with pytest.raises(SpecMismatch, match=r"make both with the same model"):
            refused()


def forged(**changed: object) -> bytes:
    """A packed fingerprint of two segments, with parts of it replaced."""
    neural = maker(peaks=False)
    vectors = np.ones((2, neural.dimensions), np.int8)
    packed = neural.pack(Fingerprint(neural.spec, 1.5, np.array([0, 16], np.int32), vectors))
    names = ("spec", "seconds", "first", "hop", "places", "body", "beside")
    parts = dict(zip(names, msgspec.msgpack.decode(packed), strict=True))
    assert changed.keys() <= parts.keys()
    return msgspec.msgpack.encode(tuple({**parts, **changed}.values()))


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"nothing",
        forged()[:-40],
        forged(body=b""),
        forged(body=b"\xc0" + bytes(255)),
        forged(body=b"\x80" + bytes(256)),
        forged(places=-1),
        forged(places=1 << 40),
        forged(hop=0),
        forged(hop=1 << 62),
        forged(first=1 << 40),
        forged(first=-(1 << 63)),
        forged(first=(1 << 64) - 1),
        forged(spec="neural"),
        forged(seconds="long"),
    ],
)
def test_a_damaged_fingerprint_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        maker(peaks=False).unpack(packed)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_whatever_a_damaged_fingerprint_holds_nothing_worse_happens(data: st.DataObject) -> None:
    packed = bytearray(forged())
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        fingerprint = maker(peaks=False).unpack(bytes(packed))
    except (ValueError, SpecMismatch):
        return
    assert len(fingerprint.frames) == len(fingerprint.features)
    assert (np.diff(fingerprint.frames) > 0).all()


# --- models


def test_the_spec_says_which_network_it_was_and_whether_there_are_peaks(tmp_path: Path) -> None:
    other = network(tmp_path / "other.onnx", LogMel())
    specs = {str(made.spec) for made in (Neural(), Neural(peaks=False), Neural(model=str(other)))}
    assert len(specs) == 3
    assert all(spec.startswith("neural/1/") for spec in specs)
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(other.read_bytes())
    assert Neural(model=str(copy)).spec == Neural(model=str(other)).spec


@pytest.mark.parametrize("where", ["nowhere.onnx", "", "default.onnx", "Default"])
def test_a_model_that_is_not_there_is_named_with_those_that_are(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=r"cannot be read \(.+\): choose one of .*default.*\.onnx file"):
        Neural(model=where)


@pytest.mark.parametrize(
    "ask", [lambda neural: neural.rate, lambda neural: neural.dimensions, lambda neural: neural.extract(noise(1.0))]
)
@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x0a"])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, content: bytes, ask: Callable[[Neural], object]) -> None:
    (tmp_path / "text.onnx").write_bytes(content)
    with pytest.raises(OptionError, match=r"text\.onnx.*give the \.onnx file"):
        ask(Neural(model=str(tmp_path / "text.onnx")))


@pytest.mark.parametrize("ask", [lambda neural: neural.rate, lambda neural: neural.dimensions])
def test_a_network_that_does_not_say_how_it_listens_is_refused(tmp_path: Path, ask: Callable[[Neural], object]) -> None:
    network(tmp_path / "foreign.onnx", LogMel(), origin="elsewhere")
    with pytest.raises(OptionError, match=r"foreign\.onnx.*earmark train"):
        ask(Neural(model=str(tmp_path / "foreign.onnx")))


@pytest.mark.parametrize(
    "shape",
    [
        LogMel(rate=16_000, window=512, hop=160, low_hertz=0.0, high_hertz=8_000.0, segment_frames=96),  # the talk's
        LogMel(rate=8_000, window=1_000, hop=125, segment_frames=64),  # an odd hop, bins that are no multiple of eight
        LogMel(rate=11_025, window=2_048, hop=256, segment_frames=40),
        LogMel(rate=8_000, window=2_560, hop=320, segment_frames=24),  # more bins than a peak can say
        LogMel(rate=6_000, window=512, hop=200, high_hertz=3_000.0),
    ],
)
def test_a_network_of_another_front_end_works_with_peaks(tmp_path: Path, music: Sequence[Path], shape: LogMel) -> None:
    neural = Neural(model=str(network(tmp_path / "model.onnx", shape)))
    sound = load(music[1], rate=shape.rate)[0][: 6 * shape.rate]
    fingerprint = neural.extract(sound)
    frames = len(sound) // shape.hop
    assert neural.rate == shape.rate
    assert neural.segment_frames == shape.segment_frames
    assert fingerprint.features.shape[1] == neural.dimensions == 32
    assert fingerprint.frames[-1] + shape.segment_frames >= frames
    assert np.unique(np.diff(fingerprint.frames)).tolist() == [shape.segment_frames // 2]
    assert fingerprint.beside is not None
    assert len(fingerprint.beside.frames) > 100
    assert same(neural.unpack(neural.pack(fingerprint)), fingerprint)
    assert same(neural.extract(np.array_split(sound, 13)), fingerprint)
    assert np.array_equal(
        Neural(model=str(tmp_path / "model.onnx"), peaks=False).extract(sound).frames, fingerprint.frames
    )


def test_the_spec_says_how_the_peaks_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Neural()
    monkeypatch.setattr(sys.modules[Neural.__module__], "PEAK_DENSITY", "lean")
    assert Neural().spec != made.spec
    assert Neural(peaks=False).spec not in (made.spec, Neural().spec)
