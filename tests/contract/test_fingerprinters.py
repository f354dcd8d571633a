"""What every fingerprinter does, whichever it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.errors import OptionError
from earmark.fingerprints import NAMES, SETTINGS, make, shown
from earmark.fingerprints.landmarks import QueryDensity
from earmark.fingerprints.neural import NeuralQuery
from earmark.fingerprints.philips import PhilipsQuery
from earmark.fingerprints.protocol import Extraction, Fingerprinter, spec_of
from earmark.fingerprints.waveprint import WaveprintQuery
from earmark.plan import UNCOUNTED, GlanceRule, LearnedCodes
from earmark.types import VECTOR_SCALE, Fingerprint, Layer, SalienceMap, Spec

# A clip under noise is liker than noise alone.
FEWEST_TIMES = {"neural": 1.5, "philips": 1.5, "shazam": 3.0, "waveprint": 1.2}
OTHER_SETTINGS: dict[str, dict[str, object]] = {
    "neural": {"peaks": False},
    "philips": {"variant": "paper"},
    "shazam": {"density": "lean"},
    "waveprint": {"stride": "half"},
}
QUERIES = {  # how a clip is looked at more closely, by fingerprinter
    "neural": NeuralQuery,
    "philips": PhilipsQuery,
    "shazam": QueryDensity,
    "waveprint": WaveprintQuery,
}
ANY_SPEED: dict[str, object] = {"any_speed": True}  # of those that keep peaks
KINDS = [
    *((name, preset) for name in NAMES for preset in ({}, OTHER_SETTINGS[name])),
    *((one.fingerprinter, ANY_SPEED) for one in SETTINGS if one.name == "any_speed"),
]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def made(name: str) -> Fingerprinter:
    return make(name)


@pytest.fixture
def sound(name: str, music: Sequence[Path]) -> np.ndarray:
    return load(music[1], rate=made(name).rate)[0][: 12 * made(name).rate]


@pytest.fixture
def long_sound(name: str, music: Sequence[Path]) -> np.ndarray:
    """About a minute."""
    return np.concatenate([load(music[number], rate=made(name).rate)[0] for number in (1, 2)])


# --- what it is


def test_it_says_what_shaped_it_and_the_same_settings_say_the_same(name: str) -> None:
    assert make(name).spec == make(name).spec == Spec.parse(str(make(name).spec))
    assert make(name, **OTHER_SETTINGS[name]).spec != make(name).spec
    assert make(name).spec.name == name
    assert make(name).plan == make(name).plan


def test_a_setting_that_it_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"loudness is no setting of {shown(name)}, which has"):
        make(name, loudness=3)


def test_only_those_that_keep_peaks_find_clips_at_any_speed_and_the_others_say_which_do(name: str) -> None:
    if name in ("neural", "shazam"):
        assert make(name, **ANY_SPEED).plan.warp is not None
    else:
        with pytest.raises(OptionError, match=r"leave it out, or choose neural or landmarks$"):
            make(name, **ANY_SPEED)


def test_each_of_its_settings_is_described(name: str) -> None:
    described = {setting.name for setting in SETTINGS if setting.fingerprinter == name}
    for setting in described:
        with pytest.raises(OptionError, match=setting):
            make(name, loudness=3)
    assert OTHER_SETTINGS[name].keys() <= described


def test_a_fingerprinter_that_there_is_not_is_refused_with_the_known_ones() -> None:
    known = "neural, philips, landmarks, waveprint"
    with pytest.raises(OptionError, match=f"'panako' is not known: choose one of {known}"):
        make("panako")


@pytest.mark.parametrize(("kind", "preset"), KINDS)
def test_its_plan_speaks_of_layers_and_channels_that_there_are(
    kind: str, preset: dict[str, Any], music: Sequence[Path]
) -> None:
    maker = make(kind, **preset)
    fingerprint = maker.extract(load(music[1], rate=maker.rate)[0][: 3 * maker.rate])
    plan, keys = maker.plan, maker.keys(fingerprint)
    assert [channel.name for channel in plan.channels] == list(keys)
    for channel in plan.channels:
        assert channel.frame_seconds == fingerprint.layers[channel.layer].frame_seconds
        assert keys[channel.name].values.ndim == (1 if channel.key_bits else 2)
        assert not channel.key_bits or int(keys[channel.name].values.max()) < 1 << channel.key_bits
    assert {rule.layer for rule in plan.compare} <= fingerprint.layers.keys()
    assert maker.min_features == plan.compare[0].min_features
    assert maker.features_in(fingerprint) == len(fingerprint.layers[plan.compare[0].layer].frames)
    if plan.sweep is not None:
        assert {plan.sweep.layer, plan.sweep.strongest} <= fingerprint.layers.keys()


# --- features


def test_frames_do_not_decrease_and_lie_within_the_sound(name: str, sound: np.ndarray) -> None:
    fingerprint = made(name).extract(sound)
    for layer in fingerprint.layers.values():
        assert (np.diff(layer.frames) >= 0).all()
        assert 0 <= layer.frames[0] <= layer.frames[-1] * layer.frame_seconds <= fingerprint.seconds
        assert len(layer.frames) == len(layer.values) > 20
        assert layer.frames.dtype == np.int32


def test_a_query_is_looked_at_more_closely_and_little_beyond_its_edges(name: str, sound: np.ndarray) -> None:
    asked, stored = (made(name).extract(sound, query=query) for query in (True, False))
    for kind, layer in asked.layers.items():
        assert layer.values.size > stored.layers[kind].values.size
        assert (np.diff(layer.frames) >= 0).all()
        seconds = layer.frames[[0, -1]] * layer.frame_seconds
        assert -0.5 <= seconds[0] <= seconds[1] <= asked.seconds


@pytest.mark.parametrize("query", [False, True])
def test_what_is_packed_comes_back(name: str, sound: np.ndarray, query: bool) -> None:
    maker = made(name)
    fingerprint = maker.extract(sound, query=query)
    again = maker.unpack(maker.pack(fingerprint))
    assert_equal(again, fingerprint)


@pytest.mark.parametrize("query", [False, True])
def test_keys_belong_to_frames_and_are_the_same_after_packing(name: str, sound: np.ndarray, query: bool) -> None:
    maker = made(name)
    fingerprint = maker.extract(sound, query=query)
    keys, again = (maker.keys(one, query=query) for one in (fingerprint, maker.unpack(maker.pack(fingerprint))))
    for channel in maker.plan.channels:
        found, same = keys[channel.name], again[channel.name]
        assert np.array_equal(found.frames, same.frames)
        assert np.array_equal(found.values, same.values)
        assert len(found.frames) == len(found.values) > 0
        assert np.isin(found.frames, fingerprint.layers[channel.layer].frames).all()


def test_a_noisy_clip_is_like_its_recording_and_noise_is_not(name: str, sound: np.ndarray) -> None:
    maker = made(name)
    noise = np.random.default_rng(3).normal(size=len(sound)).astype(np.float32)
    noisy = sound + noise * np.float32(np.sqrt(np.mean(sound**2)) / 10 ** (10 / 20))
    known = maker.extract(sound)
    asked, other = (maker.extract(clip, query=True) for clip in (noisy, noise))
    assert likeness(maker, known, asked) > FEWEST_TIMES[name] * likeness(maker, known, other)


def likeness(maker: Fingerprinter, known: Fingerprint, asked: Fingerprint) -> float:
    """Return the share of a recording's codes that a clip has too, or how near its vectors are to the nearest."""
    channel = maker.plan.channels[0]
    stored, looked_up = maker.keys(known)[channel.name].values, maker.keys(asked, query=True)[channel.name].values
    if channel.metric == "inner":
        products = stored.astype(np.float32) @ looked_up.astype(np.float32).T / VECTOR_SCALE**2
        return float(products.max(axis=1).mean())
    return float(np.isin(stored, looked_up).mean())


# --- sound that comes in blocks


def blocks_of(sound: np.ndarray, size: int | str) -> list[np.ndarray]:
    if size == "random":
        cuts = np.sort(np.random.default_rng(7).integers(0, len(sound), 60))
        return np.split(sound, np.sort([*cuts, *cuts[::9]]))  # some are empty
    return np.split(sound, range(int(size), len(sound), int(size)))


@pytest.mark.parametrize("query", [False, True])
@pytest.mark.parametrize("size", [1, 1_024, 8_000, "random"])
def test_blocks_do_not_matter_bit_for_bit(name: str, long_sound: np.ndarray, size: int | str, query: bool) -> None:
    maker = made(name)
    sound = long_sound[: 2 * maker.rate] if size == 1 else long_sound[: 25 * maker.rate + 77]
    assert_equal(maker.extract(blocks_of(sound, size), query=query), maker.extract(sound, query=query))


@pytest.mark.parametrize("query", [False, True])
def test_what_is_taken_in_the_middle_is_what_was_pushed_so_far_and_changes_nothing(
    name: str, long_sound: np.ndarray, query: bool
) -> None:
    maker = made(name)
    extraction, done = maker.stream(query=query), 0
    for seconds in (0.0, 0.01, 0.4, 1.0, 3.3, 11.0, 17.7, 30.0):
        end = round(seconds * maker.rate)
        extraction.push(long_sound[done:end])
        done = end
        taken = extraction.take()
        assert_equal(taken, maker.extract(long_sound[:end], query=query))
        assert_equal(extraction.take(), taken)


@pytest.mark.parametrize("query", [False, True])
def test_what_is_taken_since_a_second_is_that_part_also_after_what_was_before_is_forgotten(
    name: str, long_sound: np.ndarray, query: bool
) -> None:
    maker = made(name)
    extraction, since = maker.stream(query=query), 0.0
    step = 5 * maker.rate + 123
    for first in range(0, len(long_sound), step):
        extraction.push(long_sound[first : first + step])
        since = max(since, first / maker.rate - 7.0)
        taken = extraction.take(since_seconds=since)
        whole = maker.extract(long_sound[: first + step], query=query)
        assert_equal(taken, whole.between(since, whole.seconds) if since else whole)
        assert taken.seconds == whole.seconds - since


@pytest.mark.parametrize("query", [False, True])
def test_a_stream_that_is_let_go_of_takes_no_more_memory_the_longer_it_lasts(
    name: str, long_sound: np.ndarray, query: bool
) -> None:
    maker = made(name)
    extraction, held, second = maker.stream(query=query), [], 0
    for _ in range(3):
        for block in np.split(long_sound[: 50 * maker.rate], 10):
            extraction.push(block.copy())
            second += 5
            extraction.take(since_seconds=max(second - 15.0, 0.0))
            held.append(arrays_of(extraction))
    for size in (len, lambda arrays: sum(array.nbytes for array in arrays)):
        early, late = ([size(arrays) for arrays in part] for part in (held[6:16], held[16:]))
        assert max(late) <= 1.02 * max(early)


def arrays_of(extraction: Extraction) -> list[np.ndarray]:
    """Return the arrays that an extraction holds on to, the fingerprinter's own left out."""
    seen: dict[int, np.ndarray] = {}
    waiting: list[object] = [extraction]
    known: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in known or isinstance(one, Fingerprinter):
            continue
        known.add(id(one))
        if isinstance(one, np.ndarray):
            while isinstance(one.base, np.ndarray):
                one = one.base
            seen[id(one)] = one
        elif isinstance(one, list | tuple):
            waiting += one
        elif type(one).__module__.startswith("earmark."):
            waiting += vars(one).values() if hasattr(one, "__dict__") else (getattr(one, f.name) for f in fields(one))  # type: ignore[arg-type]
    return list(seen.values())


# --- digests


def leaves(value: Any) -> Iterator[Any]:
    """Yield a value with each number or word in it changed, one at a time."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            if field.name not in UNCOUNTED:
                yield from (replace(value, **{field.name: other}) for other in leaves(getattr(value, field.name)))
    elif isinstance(value, dict):
        for key in value:
            yield from ({**value, key: other} for other in leaves(value[key]))
        yield {**value, "another": 1}
    elif isinstance(value, tuple):
        for place, one in enumerate(value):
            yield from ((*value[:place], other, *value[place + 1 :]) for other in leaves(one))
        yield (*value, *value[-1:], 0)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, float):
        yield value + 1e-9
    elif isinstance(value, str):
        yield f"{value}x"
    else:
        assert value is None, value
        yield 0


def numbers_in(value: Any) -> int:
    if is_dataclass(value) and not isinstance(value, type):
        return sum(numbers_in(getattr(value, field.name)) for field in fields(value))
    return sum(map(numbers_in, value)) if isinstance(value, tuple) else 1


@pytest.mark.parametrize(("kind", "preset"), KINDS)
def test_what_an_index_stores_comes_in_order_of_frames(
    kind: str, preset: dict[str, Any], music: Sequence[Path]
) -> None:
    maker = make(kind, **preset)
    keys = maker.keys(maker.extract(load(music[1], rate=maker.rate)[0]))
    assert keys.keys() == {channel.name for channel in maker.plan.channels}
    assert all(len(one.frames) > 1 and (np.diff(one.frames) >= 0).all() for one in keys.values())


@pytest.mark.parametrize(("kind", "preset"), KINDS)
def test_each_number_that_shapes_features_or_keys_has_a_spec_of_its_own(kind: str, preset: dict[str, Any]) -> None:
    maker = make(kind, **preset)
    shape, quads, version = maker.shape, getattr(maker, "quads", None), maker.spec.version  # type: ignore[attr-defined]
    assert spec_of(kind, version, shape, quads) == maker.spec
    specs = [spec_of(kind, version, other, quads) for other in leaves(shape)]
    specs += [] if quads is None else [spec_of(kind, version, shape, other) for other in leaves(quads)]
    assert len({*specs, maker.spec}) == 1 + len(specs) > numbers_in(shape) >= 3


@pytest.mark.parametrize(("kind", "preset"), KINDS)
def test_each_number_of_the_plan_has_a_digest_of_its_own(kind: str, preset: dict[str, Any]) -> None:
    plan = make(kind, **preset).plan
    digests = [other.digest for other in leaves(plan)]
    assert len({*digests, plan.digest}) == 1 + len(digests) > 40
    first, *others = plan.channels
    codes = LearnedCodes("signs", np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    saving = replace(plan, glance=GlanceRule("peaks", places=7), channels=(replace(first, codes=codes), *others))
    assert saving.digest == plan.digest  # what leaves the odds as they are


@pytest.mark.parametrize(("kind", "preset"), KINDS)
def test_each_number_of_how_a_clip_is_looked_at_has_a_plan_of_its_own_and_the_same_spec(
    kind: str, preset: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = make(kind, **preset)
    plans = [usual.plan.digest]
    for other in leaves(QUERIES[kind]()):
        monkeypatch.setattr(sys.modules[type(usual).__module__], QUERIES[kind].__name__, lambda other=other: other)
        changed = make(kind, **preset)
        assert changed.spec == usual.spec
        plans.append(changed.plan.digest)
    assert len(set(plans)) == len(plans) >= 1 + numbers_in(QUERIES[kind]())


def assert_equal(one: Fingerprint, other: Fingerprint) -> None:
    """Assert that two fingerprints are the same, layer by layer, bit for bit."""
    assert one.spec == other.spec
    assert one.seconds == other.seconds
    assert list(one.layers) == list(other.layers)
    for name, layer in one.layers.items():
        assert_equal_layers(layer, other.layers[name])


def assert_equal_layers(one: Layer, other: Layer) -> None:
    assert np.array_equal(one.frames, other.frames)
    assert np.array_equal(one.values, other.values)
    assert (one.frame_seconds, one.values.dtype) == (other.frame_seconds, other.values.dtype)
    assert type(one.weights) is type(other.weights)
    if isinstance(one.weights, np.ndarray):
        assert np.array_equal(one.weights, other.weights)
    if isinstance(one.weights, SalienceMap) and isinstance(other.weights, SalienceMap):
        assert np.array_equal(one.weights.packed, other.weights.packed)
        assert (one.weights.first_bin, one.weights.first_frame) == (other.weights.first_bin, other.weights.first_frame)
