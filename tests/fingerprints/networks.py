"""Networks that nobody trained, and what tests ask of vectors."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from earmark.fingerprints.mel import LogMel
from earmark.fingerprints.neural import Neural
from earmark.types import VECTOR_SCALE, Fingerprint, Layer, SalienceMap

RATE = 8_000


@cache
def maker(peaks: bool = True, compact: bool = False) -> Neural:
    return Neural(peaks=peaks, compact=compact)


def noise(seconds: float, seed: int = 1) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=round(seconds * RATE)) * 0.1).astype(np.float32)


def vectors(fingerprint: Fingerprint) -> Layer:
    return fingerprint.layers["vectors"]


def scaled(fingerprint: Fingerprint) -> np.ndarray:
    """A fingerprint's vectors, of length 1."""
    return vectors(fingerprint).values.astype(np.float32) / np.float32(VECTOR_SCALE)


def same(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether two fingerprints are equal, layer by layer."""
    figures = (one.spec, one.seconds, one.layers.keys()) == (other.spec, other.seconds, other.layers.keys())
    return figures and all(same_layer(layer, other.layers[name]) for name, layer in one.layers.items())


def same_layer(one: Layer, other: Layer) -> bool:
    maps = [layer.weights for layer in (one, other) if isinstance(layer.weights, SalienceMap)]
    if len(maps) == 1 or (maps and not np.array_equal(maps[0].packed, maps[1].packed)):
        return False
    is_equal = np.array_equal(one.frames, other.frames) and np.array_equal(one.values, other.values)
    return is_equal and one.frame_seconds == other.frame_seconds


def network(path: Path, shape: LogMel, *, dimensions: int = 32, codes: str = "", **said: str) -> Path:
    """A network of one layer that nobody trained, as `earmark train` would write it for this front end.

    With `codes`, which its metadata get, it has an output of that name.
    """
    size = shape.bands * shape.segment_frames
    weights = np.random.default_rng(0).normal(size=(size, dimensions)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["segments"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["mixed"]),
            helper.make_node("LpNormalization", ["mixed"], ["vectors"], axis=1, p=2),
            *([helper.make_node("Sign", ["vectors"], ["codes"])] if codes else []),
        ],
        "tiny",
        [helper.make_tensor_value_info("segments", TensorProto.FLOAT, ["n", 1, shape.bands, shape.segment_frames])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", dimensions])
            for name in (("vectors", "codes") if codes else ("vectors",))
        ],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    usual = {"front_end": json.dumps(asdict(shape)), "dimensions": str(dimensions), "licence": "CC0-1.0"}
    helper.set_model_props(model, said or (usual | {"codes": codes} if codes else usual))
    onnx.save(model, path)
    return path
