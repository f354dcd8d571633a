"""Trained networks as ONNX, for use without torch, and encoders in 8-bit integers.

An encoder's input is `segments`, float32 (n, 1, bands, frames), as `fingerprints.mel.normalised` makes them; its first
output is `vectors`, float32 (n, dimensions), of length 1, and with learned codes the others are `codes`, int32 (n,),
and `uncertainty`, float32 (n, bits or codewords). `read_metadata` returns what a file says about itself.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import warnings
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
import numpy as np
import onnx
import torch
from torch import Tensor, nn

from earmark.atomic import written_beside
from earmark.fingerprints.mel import Spectrogram
from earmark.learn.checkpoint import averaged_weights, read_checkpoint
from earmark.learn.codes import Coded, Codes
from earmark.learn.encoders import Encoder
from earmark.learn.network import make_network
from earmark.learn.pairs import PairBatches, TrainingSet
from earmark.learn.recipe import FingerprintRecipe, Recipe, recipe_in

if TYPE_CHECKING:
    from onnxruntime.quantization import CalibrationDataReader

OPSET = 18  # ONNX operator set; with IR version 10 onnxruntime 1.18 and later read it
SEGMENTS_AT_ONCE = 64  # segments in a batch of the calibration
WEIGHTED_OPERATORS = ("Conv", "Gemm")  # operators that have weights
CALIBRATION_SEED = 10_000  # seed of the segments that activations' ranges are measured on; training's is another
CALIBRATION_SEGMENTS = 512  # segments, at least; half of them clean, half distorted

N = TypeVar("N", bound=nn.Module)
R = TypeVar("R", bound=Recipe)


@dataclass(frozen=True, slots=True, eq=False)
class Trained(Generic[N, R]):
    """A network as a checkpoint has it."""

    network: N
    recipe: R
    digest: str  # digest of the recipe in the checkpoint
    step: int


def read_trained(path: Path, *, averaged: bool = True) -> Trained[Encoder, FingerprintRecipe]:
    """Return the encoder of a checkpoint, its weights averaged over the last steps or those of the last one.

    Raises OptionError when the file is no checkpoint of such a run.
    """
    state = read_checkpoint(path)
    recipe = recipe_in(state, FingerprintRecipe, path)
    encoder, _ = make_network(recipe)
    encoder.load_state_dict(averaged_weights(state) if averaged else state["encoder"])
    return Trained(encoder.eval(), recipe, state["digest"], state["step"])


def export_models(checkpoint: Path, training_set: TrainingSet, folder: Path, *, licence: str = "") -> tuple[Path, Path]:
    """Write the encoder of a checkpoint to model.onnx (float32) and model-int8.onnx (3 times as fast)."""
    trained = read_trained(checkpoint)
    whole, small = folder / "model.onnx", folder / "model-int8.onnx"
    export_onnx(trained, whole, licence=licence)
    quantise(whole, small, calibration_segments(training_set, trained.recipe))
    return whole, small


def export_onnx(trained: Trained[Encoder, FingerprintRecipe], target: Path, *, licence: str = "") -> None:
    """Write an encoder as ONNX in float32; `licence` is the weights', an SPDX expression."""
    shape, encoder = trained.recipe.log_mel, trained.network
    example = torch.zeros(2, 1, shape.bands, shape.segment_frames)
    model = to_onnx(encoder, example, name="segments", outputs=encoder.outputs, free={0: torch.export.Dim("n", min=1)})
    dimensions = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    numbers = {"front_end": encoded(shape), "dimensions": str(dimensions)}
    if isinstance(encoder, Coded):
        numbers["codes"] = encoded_codes(encoder.codes)
    write_onnx(model, numbers | origin(trained, licence), target)


def to_onnx(
    network: nn.Module, example: Tensor, *, name: str, outputs: tuple[str, ...], free: dict[int, Any]
) -> onnx.ModelProto:
    """Return a network as ONNX in float32.

    `name` is the input's, `outputs` are the outputs', in the order in which `forward` returns them; `free` are the
    input's axes of any length, whose length in `example` is not 1, which the exporter would take for fixed.
    """
    with quiet():
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[name],
            output_names=list(outputs),
            dynamic_shapes=(free,),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # dynamo=True returns one
    model: onnx.ModelProto = program.model_proto
    strip_traces(model)
    return model


def quantise(source: Path, target: Path, segments: Spectrogram, *, reduce_range: bool = True) -> None:
    """Write an exported encoder in 8-bit integers.

    `segments`, (n, bands, frames), normalised, are a few hundred like those it will see: the ranges of activations are
    measured on them. Activations are unsigned, weights signed and scaled for each channel; the first layer and the
    outputs stay float32. With `reduce_range` weights have 7 bits, which costs next to nothing: on processors with AVX2
    and without VNNI, sums of 8-bit products overflow 16 bits.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = onnx.load(source)
    with quiet(), tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder, "quantised.onnx")
        quantize_static(
            str(source),
            str(made),
            _reader(segments),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_float_nodes(model),
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},
        )
        quantised = onnx.load(made)
    precision = "int8 with 7-bit weights" if reduce_range else "int8"
    write_onnx(quantised, read_metadata(source) | {"precision": precision}, target)


def calibration_segments(training_set: TrainingSet, recipe: FingerprintRecipe) -> Spectrogram:
    """Return a few hundred segments, clean and distorted, (n, bands, frames), normalised."""
    batches = PairBatches(training_set, recipe, seed=CALIBRATION_SEED)
    made = [batches.pairs(number) for number in range(-(-CALIBRATION_SEGMENTS // (2 * batches.size)))]
    return np.concatenate([segments for pairs in made for segments in (pairs.anchors, pairs.positives)])


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an exported file.

    `front_end` (numbers as JSON), `dimensions` (of vectors), `recipe`, `digest` (of the recipe), `step`, `sha256` (of
    the float32 weights), `licence`, `precision`, and of a model with codes `codes`.
    """
    return {one.key: one.value for one in onnx.load(path).metadata_props}


def origin(trained: Trained[Any, Any], licence: str) -> dict[str, str]:
    """Return the metadata that all float32 models have: where the weights come from."""
    return {
        "recipe": trained.recipe.name,
        "digest": trained.digest,
        "step": str(trained.step),
        "sha256": weights_checksum(trained.network.state_dict()),
        "licence": licence,
        "precision": "float32",
    }


def encoded(front_end: Any) -> str:
    """Return a front end, a dataclass, as JSON."""
    return msgspec.json.encode(asdict(front_end)).decode()


def encoded_codes(codes: Codes) -> str:
    """Return the kind, planes and offsets of codes as JSON, the arrays as float32 in base64."""
    arrays = {"planes": codes.planes.detach(), "offsets": codes.offsets.detach()}
    packed = {name: b64encode(array.float().numpy().astype("<f4").tobytes()).decode() for name, array in arrays.items()}
    return msgspec.json.encode({"kind": codes.kind, **packed}).decode()


def weights_checksum(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of weights, their names and values in order of the names, in hexadecimal."""
    checksum = hashlib.sha256()
    for name in sorted(weights):
        checksum.update(name.encode() + b"\0" + np.ascontiguousarray(weights[name].cpu().numpy()).tobytes())
    return checksum.hexdigest()


def strip_traces(model: onnx.ModelProto) -> None:
    """Remove what the exporter noted about its own work: traces of calls, with the paths of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def write_onnx(model: onnx.ModelProto, metadata: dict[str, str], target: Path) -> None:
    """Write a model with these metadata only; a reader sees the old file or the new one."""
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    with written_beside(target) as part:
        part.write_bytes(model.SerializeToString())


def _float_nodes(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes that stay in float32.

    The first layer, which is cheap and on which all others depend; and the nodes after the last layer, which normalise
    the vectors.
    """
    names = [node.name for node in model.graph.node]
    layers = [place for place, node in enumerate(model.graph.node) if node.op_type in WEIGHTED_OPERATORS]
    return [names[layers[0]], *names[layers[-1] + 1 :]]


def _reader(segments: Spectrogram) -> CalibrationDataReader:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._parts = _parts(segments)

        def get_next(self) -> dict[str, Any] | None:
            return next(self._parts, None)

    return Reader()


def _parts(segments: Spectrogram) -> Iterator[dict[str, Any]]:
    for first in range(0, len(segments), SEGMENTS_AT_ONCE):
        yield {"segments": segments[first : first + SEGMENTS_AT_ONCE, None]}


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the warnings and log lines of exporter and quantiser."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "")]
    levels = [one.level for one in loggers]
    try:
        for one in loggers:
            one.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
