"""Networks by name or by file: which spec they have, and which are refused."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.errors import OptionError
from earmark.fingerprints.mel import LogMel
from earmark.fingerprints.neural import CompanionShape, Neural, NeuralShape
from earmark.fingerprints.protocol import spec_of
from tests.fingerprints.networks import maker, network, noise, same, vectors


def test_the_spec_says_which_network_it_was_and_whether_there_are_peaks(tmp_path: Path) -> None:
    other = network(tmp_path / "other.onnx", LogMel())
    specs = {str(made.spec) for made in (Neural(), Neural(peaks=False), Neural(model=str(other)))}
    assert len(specs) == 3
    assert all(spec.startswith("neural/2/") for spec in specs)
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
    assert neural.log_mel.segment_frames == shape.segment_frames
    assert vectors(fingerprint).values.shape[1] == neural.dimensions == 32
    assert vectors(fingerprint).frames[-1] + shape.segment_frames >= frames
    assert np.unique(np.diff(vectors(fingerprint).frames)).tolist() == [shape.segment_frames // 2]
    assert len(fingerprint.layers["peaks"].frames) > 100
    assert same(neural.unpack(neural.pack(fingerprint)), fingerprint)
    assert same(neural.extract(np.array_split(sound, 13)), fingerprint)
    alone = Neural(model=str(tmp_path / "model.onnx"), peaks=False).extract(sound)
    assert np.array_equal(vectors(alone).frames, vectors(fingerprint).frames)
    clip = neural.extract(sound, query=True)
    assert same(neural.unpack(neural.pack(clip)), clip)


def test_the_spec_says_how_the_peaks_are_made() -> None:
    made = Neural()
    peaks = CompanionShape()
    fewer = replace(peaks, density=replace(peaks.density, stored=20))
    others = {spec_of("neural", 2, NeuralShape(made.shape.network, shape)) for shape in (peaks, fewer, None)}
    assert len(others) == 3
    assert made.spec in others
    assert Neural(peaks=False).spec in others


@pytest.mark.parametrize(("peaks", "formerly"), [(True, "neural/1/a5214f85"), (False, "neural/1/f9c8db95")])
def test_equal_fingerprints_of_the_release_before_are_accepted(peaks: bool, formerly: str) -> None:
    assert maker(peaks).accepts(formerly)
    assert not maker(not peaks).accepts(formerly)
    assert maker(peaks).accepts(str(maker(peaks).spec))
    assert not maker(peaks).accepts("neural/1/00000000")


def test_a_network_with_codes_says_them_and_makes_vectors_as_any_other(tmp_path: Path) -> None:
    planes = np.random.default_rng(2).normal(size=(5, 32)).astype("<f4")
    packed = {
        name: b64encode(array.tobytes()).decode() for name, array in (("planes", planes), ("offsets", planes[:, 0]))
    }
    said = json.dumps({"kind": "signs", **packed})
    coded = Neural(model=str(network(tmp_path / "coded.onnx", LogMel(), codes=said)))
    plain = Neural(model=str(network(tmp_path / "plain.onnx", LogMel())))
    codes = coded.plan.channels[0].codes
    assert codes is not None
    assert codes.kind == "signs"
    assert np.array_equal(codes.planes, planes)
    assert np.array_equal(codes.offsets, planes[:, 0])
    assert plain.plan.channels[0].codes is None
    assert coded.plan.digest == plain.plan.digest
    assert np.array_equal(vectors(coded.extract(noise(2.0))).values, vectors(plain.extract(noise(2.0))).values)


@pytest.mark.parametrize(
    "said", ["no JSON", '{"kind": "signs"}', '{"kind": "signs", "planes": "AAAA", "offsets": ""}',
             '{"kind": "nothing", "planes": "", "offsets": ""}', '{"kind": "signs", "planes": "", "offsets": ""}']
)  # fmt: skip
def test_damaged_codes_are_refused(tmp_path: Path, said: str) -> None:
    with pytest.raises(OptionError, match="damaged codes"):
        Neural(model=str(network(tmp_path / "model.onnx", LogMel(), codes=said)))
