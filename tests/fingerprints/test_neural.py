"""Learned fingerprints: segments where they belong, the same for any blocks and batches, packed without loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earmark.audio.decode import load
from earmark.errors import OptionError, SpecMismatch
from earmark.fingerprints.mel import LogMel, log_mel_segments
from earmark.fingerprints.neural import BATCH, Neural
from earmark.fingerprints.packing import pack_vectors
from earmark.fingerprints.protocol import Fingerprinter
from earmark.index.channels import index_name
from earmark.types import VECTOR_SCALE, Fingerprint, Layer, SalienceMap, Spec
from tests.fingerprints.networks import RATE, maker, network, noise, same, scaled, vectors

FRAME = 250  # samples


@pytest.fixture(scope="module")
def samples(music: Sequence[Path]) -> np.ndarray:
    return load(music[2], rate=RATE)[0]  # one that does not repeat itself


@pytest.fixture(scope="module")
def whole(samples: np.ndarray) -> Fingerprint:
    return maker().extract(samples)


def with_noise(sound: np.ndarray, decibels: float) -> np.ndarray:
    hiss = np.random.default_rng(1).normal(size=len(sound)) * np.sqrt(np.mean(sound**2) / 10 ** (decibels / 10))
    return (sound + hiss).astype(np.float32)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Neural]:
    """With peaks and without, of a network that takes no time."""
    model = network(tmp_path_factory.mktemp("models") / "small.onnx", LogMel())
    return {peaks: Neural(model=str(model), peaks=peaks) for peaks in (False, True)}


# --- what it is


def test_it_has_vectors_and_beside_them_peaks_unless_it_is_made_without(whole: Fingerprint) -> None:
    assert isinstance(maker(), Fingerprinter)
    assert list(whole.layers) == ["vectors", "peaks", "strongest"]
    assert [channel.name for channel in maker().plan.channels] == ["vectors", "landmarks"]
    assert list(maker(peaks=False).extract(noise(1.0)).layers) == ["vectors"]
    assert [channel.name for channel in maker(peaks=False).plan.channels] == ["vectors"]
    assert maker(peaks=False).companion is None


def test_frames_and_hops_are_those_of_the_documentation(whole: Fingerprint) -> None:
    neural, frame = maker(), vectors(whole).frame_seconds
    assert (neural.rate, frame, neural.log_mel.segment_frames) == (8_000, 0.03125, 32)
    assert neural.hop_frames(query=False) * frame == 0.5
    assert neural.hop_frames(query=True) * frame == 0.125
    assert neural.min_features == 1
    assert neural.companion is not None
    assert neural.companion.front_end.frame_seconds == whole.layers["peaks"].frame_seconds == frame / 2


def test_vectors_have_length_one_up_to_rounding(whole: Fingerprint) -> None:
    layer = vectors(whole)
    assert layer.values.dtype == np.int8
    assert layer.values.shape == (len(layer.frames), maker().dimensions)
    assert np.linalg.norm(scaled(whole), axis=1) == pytest.approx(1.0, abs=0.02)


def test_what_an_index_stores_are_the_vectors_and_landmarks(whole: Fingerprint) -> None:
    keys = maker().keys(whole)
    assert keys.keys() == {"vectors", "landmarks"}
    assert np.array_equal(keys["vectors"].frames, vectors(whole).frames)
    assert np.array_equal(keys["vectors"].values, vectors(whole).values)
    assert np.isin(keys["landmarks"].frames, whole.layers["strongest"].frames).all()
    assert len(keys["landmarks"].frames) > 200


# --- where segments are


@pytest.mark.parametrize("frames", [1, 9, 31, 32, 33, 47, 48, 49, 64, 271, 272, 273, 287, 288, 289, 304, 528, 544, 545])
def test_stored_segments_are_as_few_as_hold_every_frame(small: dict[bool, Neural], frames: int) -> None:
    fingerprint = small[False].extract(noise(frames * FRAME / RATE))
    count = 1 + max(-(-(frames - 32) // 16), 0)
    assert vectors(fingerprint).frames.tolist() == [16 * number for number in range(count)]


@pytest.mark.parametrize("frames", [9, 16, 17, 20, 21, 32, 33, 76, 77, 80, 84, 96, 140, 141, 160])
def test_a_querys_segments_reach_three_eighths_over_the_edges(small: dict[bool, Neural], frames: int) -> None:
    fingerprint = small[False].extract(noise(frames * FRAME / RATE), query=True)
    count = 1 + max(-(-(frames - 8) // 4), 0)
    assert vectors(fingerprint).frames.tolist() == [4 * number - 12 for number in range(count)]
    last_end = int(vectors(fingerprint).frames[-1]) + 32
    assert frames + 12 <= last_end or count == 1
    assert last_end < frames + 12 + 4 or count == 1


@pytest.mark.parametrize("query", [False, True])
def test_a_clip_of_one_second_is_one_segment_and_six_more_around_it_when_it_is_asked_for(query: bool) -> None:
    fingerprint = maker().extract(noise(1.0), query=query)
    assert vectors(fingerprint).frames.tolist() == ([-12, -8, -4, 0, 4, 8, 12] if query else [0])
    assert fingerprint.seconds == 1.0


@pytest.mark.parametrize("query", [False, True])
def test_a_third_of_a_second_is_padded_to_a_segment(query: bool) -> None:
    fingerprint = maker().extract(noise(0.3), query=query)
    assert vectors(fingerprint).frames.tolist() == ([-12, -8] if query else [0])
    assert vectors(fingerprint).values.shape == (2 if query else 1, maker().dimensions)
    assert fingerprint.seconds == pytest.approx(0.3)


@pytest.mark.parametrize("query", [False, True])
@pytest.mark.parametrize("peaks", [False, True])
@pytest.mark.parametrize("sound", [[], [np.zeros(0, np.float32)], [np.zeros(3 * RATE, np.float32)]])
def test_no_sound_and_silence_have_no_features(sound: list[np.ndarray], peaks: bool, query: bool) -> None:
    fingerprint = maker(peaks).extract(sound, query=query)
    assert vectors(fingerprint).frames.shape == (0,)
    assert vectors(fingerprint).values.shape == (0, maker().dimensions)
    assert vectors(fingerprint).values.dtype == np.int8
    assert fingerprint.seconds == sum(map(len, sound)) / RATE
    assert all(len(layer.frames) == len(layer.values) == 0 for layer in fingerprint.layers.values())
    assert ("peaks" in fingerprint.layers) == peaks
    assert same(maker(peaks).unpack(maker(peaks).pack(fingerprint)), fingerprint)


@pytest.mark.parametrize("query", [False, True])
def test_silence_in_the_middle_keeps_its_time_and_gets_no_vector(samples: np.ndarray, query: bool) -> None:
    before, after = samples[: 2 * RATE], samples[2 * RATE : 5 * RATE]
    gap = np.zeros(3 * RATE, np.float32)
    fingerprint = maker().extract(np.concatenate([before, gap, after]), query=query)
    begins = vectors(fingerprint).frames / 32  # seconds
    quiet = (begins >= 2.1) & (begins + 1 <= 4.9)
    assert not quiet.any()
    hop = 4 if query else 16
    missing = np.flatnonzero(np.diff(vectors(fingerprint).frames) != hop)
    assert len(missing) == 1
    # What comes after the silence is what it would be without it, three seconds earlier.
    alone = maker().extract(np.concatenate([before, after]), query=query)
    here, others = (dict(zip(vectors(one).frames.tolist(), scaled(one), strict=True)) for one in (fingerprint, alone))
    late = [frame for frame in here if frame >= (2 + 3) * 32 + 2]
    assert len(late) > 3
    assert all(float(here[frame] @ others[frame - 96]) > 0.97 for frame in late)


def test_a_silent_segment_is_left_out_of_a_batch_without_changing_the_others(samples: np.ndarray) -> None:
    shape = LogMel()
    raw = log_mel_segments(np.stack([samples[RATE * n :][: shape.segment_samples] for n in range(BATCH)]), shape)
    heard, every = maker().encode(raw)
    assert heard.all()
    raw[[0, 2]] = -10.0
    heard, fewer = maker().encode(raw)
    assert heard.tolist() == [False, True, False, True]
    assert np.array_equal(fewer, every[[1, 3]])


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
    assert np.array_equal(vectors(one).frames, vectors(other).frames)
    # The same spectra come in other chunks, so a sum may differ in its last bit, and a component by one.
    assert np.abs(vectors(one).values.astype(int) - vectors(other).values).max() <= 2
    assert "peaks" in one.layers
    assert "peaks" not in other.layers


@pytest.mark.parametrize("count", [1, 2, 7, BATCH])
def test_neither_the_place_in_a_batch_nor_the_others_matter(count: int) -> None:
    raw = log_mel_segments(np.stack([noise(1.1, seed)[:8_774] for seed in range(BATCH)]), LogMel())
    order = np.random.default_rng(count).permutation(BATCH)[:count]
    _, together = maker().encode(raw)
    _, found = maker().encode(raw[order])
    assert np.array_equal(found, together[order])


def test_two_makers_give_the_same_fingerprint(samples: np.ndarray) -> None:
    assert same(Neural().extract(samples[: 5 * RATE]), maker().extract(samples[: 5 * RATE]))


def test_loudness_hardly_matters(samples: np.ndarray) -> None:
    loud, quiet = (maker(peaks=False).extract(samples[: 5 * RATE] * np.float32(gain)) for gain in (1.0, 0.05))
    cosines = (scaled(loud) * scaled(quiet)).sum(axis=1)
    assert cosines.min() > 0.98


# --- what the vectors say


def test_the_nearest_stored_segments_of_a_clip_lie_on_its_diagonal(samples: np.ndarray, whole: Fingerprint) -> None:
    begin = 9 * 32 + 8  # frames: between two stored segments
    clip = maker().extract(samples[begin * FRAME :][: 5 * RATE], query=True)
    frames = vectors(clip).frames
    inside = (frames >= 0) & (frames <= 4 * 32)
    cosines = scaled(clip)[inside] @ scaled(whole).T
    nearest = vectors(whole).frames[cosines.argmax(axis=1)]
    assert (np.abs(nearest - (begin + frames[inside])) <= 8).mean() > 0.9


def test_a_noisy_clip_is_nearer_to_its_recording_than_to_another(
    samples: np.ndarray, whole: Fingerprint, music: Sequence[Path]
) -> None:
    other = maker().extract(load(music[4], rate=RATE)[0])
    clip = maker().extract(with_noise(samples[10 * RATE : 15 * RATE], 5.0), query=True)
    own, foreign = ((scaled(clip) @ scaled(one).T).max(axis=1) for one in (whole, other))
    assert (own > foreign).mean() > 0.8


def test_the_peaks_are_those_of_the_same_sound_at_the_same_time() -> None:
    silence = np.zeros(RATE // 2, np.float32)
    click = np.sin(2 * np.pi * 1_000 * np.arange(RATE // 10) / RATE).astype(np.float32)
    fingerprint = maker().extract(np.concatenate([silence, click, silence]))
    frames, bins = fingerprint.layers["peaks"].frames, fingerprint.layers["peaks"].values
    there = np.abs(bins * RATE / 1_024 - 1_000) < 12
    assert there.any()
    # Frame k of the peaks is centred 125 k + 125 samples into the sound, as the network's are on 250 k + 125.
    assert np.abs((125 * frames[there] + 125) / RATE - 0.55).min() < 0.02


def test_a_query_has_more_peaks_than_what_is_stored(samples: np.ndarray, whole: Fingerprint) -> None:
    query = maker().extract(samples, query=True)
    assert len(query.layers["peaks"].frames) > len(whole.layers["peaks"].frames) > 500
    assert len(whole.layers["peaks"].frames) > 2 * len(whole.layers["strongest"].frames)
    assert query.layers["strongest"] is query.layers["peaks"]


# --- compact


def test_a_compact_recording_has_four_levels_and_the_strongest_peaks_alone(
    samples: np.ndarray, whole: Fingerprint
) -> None:
    compact = maker(compact=True)
    small = compact.extract(samples)
    assert len(np.unique(vectors(small).values)) == 4
    assert np.array_equal(vectors(small).frames, vectors(whole).frames)
    cosines = (vectors(small).values.astype(float) * vectors(whole).values).sum(axis=1) / VECTOR_SCALE**2
    assert cosines.min() > 0.8
    assert small.layers["strongest"] is small.layers["peaks"]
    assert np.array_equal(small.layers["peaks"].values, whole.layers["strongest"].values)
    assert len(compact.pack(small)) < 0.35 * len(maker().pack(whole))
    assert same(compact.unpack_stored(compact.pack(small)), small)


def test_a_compact_clip_is_as_precise_as_any(samples: np.ndarray) -> None:
    compact, clip = maker(compact=True), samples[: 2 * RATE]
    query, usual = compact.extract(clip, query=True), maker().extract(clip, query=True)
    assert np.array_equal(vectors(query).values, vectors(usual).values)
    assert same(compact.unpack(compact.pack(query)), query)


def test_a_compact_catalog_indexes_vectors_alone_and_has_a_spec_of_its_own() -> None:
    compact = maker(compact=True)
    assert [channel.name for channel in compact.plan.channels] == ["vectors"]
    assert index_name(None, compact.plan.channels, "neural") == "two_bit"
    assert compact.spec not in (maker().spec, maker(peaks=False).spec)
    assert not compact.formerly


@pytest.mark.parametrize("other", [{"peaks": False}, {"any_speed": True}])
def test_compact_goes_with_peaks_and_without_speeds(other: dict[str, bool]) -> None:
    with pytest.raises(OptionError, match=f"leave out {next(iter(other))}="):
        Neural(compact=True, **other)


def test_compact_needs_components_by_the_four(tmp_path: Path) -> None:
    model = network(tmp_path / "odd.onnx", LogMel(), dimensions=30)
    with pytest.raises(OptionError, match="30 components"):
        Neural(model=str(model), compact=True)


# --- packing


def test_what_is_packed_comes_back_and_takes_less_than_a_byte_a_component(whole: Fingerprint) -> None:
    packed = maker().pack(whole)
    assert same(maker().unpack(packed), whole)
    alone = maker(peaks=False)
    long = np.tile(vectors(whole).values, (8, 1))
    frames = np.arange(0, 16 * len(long), 16, dtype=np.int32)
    fingerprint = Fingerprint(alone.spec, 8 * whole.seconds, {"vectors": Layer(frames, long, 0.03125)})
    packed = alone.pack(fingerprint)
    assert same(alone.unpack(packed), fingerprint)
    assert len(packed) < 0.9 * long.size


def test_what_releases_up_to_0_1_packed_is_read(whole: Fingerprint) -> None:
    alone = maker(peaks=False)
    fingerprint = Fingerprint(alone.spec, whole.seconds, {"vectors": vectors(whole)})
    body = pack_vectors(vectors(whole).frames, vectors(whole).values.tobytes())
    former = msgspec.msgpack.encode((str(alone.spec), whole.seconds, *body, b""))
    assert same(alone.unpack(former), fingerprint)


def test_a_query_comes_back_with_its_salience_map(samples: np.ndarray) -> None:
    query = maker().extract(samples[: 5 * RATE], query=True)
    assert isinstance(query.layers["peaks"].weights, SalienceMap)
    assert same(maker().unpack(maker().pack(query)), query)


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
    values = np.random.default_rng(seed).integers(-127, 128, (len(frames), neural.dimensions)).astype(np.int8)
    fingerprint = Fingerprint(neural.spec, seconds, {"vectors": Layer(frames, values, 0.03125)})
    again = neural.unpack(neural.pack(fingerprint))
    assert same(again, fingerprint)
    assert (vectors(again).frames.dtype, vectors(again).values.dtype) == (np.int32, np.int8)


def test_fingerprints_of_another_kind_are_refused(whole: Fingerprint) -> None:
    foreign = maker(peaks=False)
    for refused in (
        lambda: foreign.unpack(maker().pack(whole)),
        lambda: foreign.pack(whole),
        lambda: foreign.keys(whole),
    ):
        with pytest.raises(SpecMismatch, match=r"make both with the same fingerprinter and settings"):
            refused()


def forged(**changed: object) -> bytes:
    """A packed fingerprint of two segments, with parts of it replaced."""
    neural = maker(peaks=False)
    layer = Layer(np.array([0, 16], np.int32), np.ones((2, neural.dimensions), np.int8), 0.03125)
    packed = neural.pack(Fingerprint(neural.spec, 1.5, {"vectors": layer}))
    names = ("spec", "seconds", "first", "hop", "places", "body", "peaks", "form")
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
        forged(form=1),
        forged(form=2),
        forged(form=9),
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
    assert len(vectors(fingerprint).frames) == len(vectors(fingerprint).values)
    assert (np.diff(vectors(fingerprint).frames) > 0).all()


def test_a_model_of_ones_own_accepts_what_it_made_in_the_release_before(small: dict[bool, Neural]) -> None:
    with_peaks, alone = (Spec.parse(small[peaks].formerly[0]) for peaks in (True, False))
    assert (with_peaks.name, with_peaks.version) == (alone.name, alone.version) == ("neural", 1)
    assert len({with_peaks.digest, alone.digest, Neural().formerly[0].rpartition("/")[2]}) == 3
