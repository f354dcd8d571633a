"""A trained encoder as ONNX, for use without torch, and the same in 8-bit integers.

The file says what it needs to be used: `metadata(path)` returns the front end, the recipe and where the weights come
from. Input `segments`, float32 of shape (n, 1, bands, frames), as `fingerprint.logmel.normalised` makes them; output
`vectors`, float32 of shape (n, dimensions), of length 1.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np
import onnx
import torch
from torch import Tensor, nn

from earmark.errors import OptionError
from earmark.fingerprints.mel import LogMel, Spectrogram
from earmark.learn.checkpoint import averaged_weights, read_checkpoint
from earmark.learn.encoders import make_encoder
from earmark.learn.recipe import Recipe

if TYPE_CHECKING:
    from onnxruntime.quantization import CalibrationDataReader

OPSET = 18  # with IR version 10: what onnxruntime reads since 1.18
SEGMENTS_AT_ONCE = 64
OF_LAYERS = ("Conv", "Gemm")  # the operators that have weights

R = TypeVar("R")  # a recipe


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """An encoder as a checkpoint holds it."""

    encoder: nn.Module
    recipe: Recipe
    digest: str  # of the recipe it was made by
    step: int


def read_trained(path: Path, *, averaged: bool = True) -> Trained:
    """Return the encoder of a checkpoint, its weights averaged over the last steps or as they are.

    Raises OptionError when the file is no checkpoint.
    """
    state = read_checkpoint(path)
    recipe = recipe_of(state, Recipe, path)
    shape = recipe.log_mel
    encoder = make_encoder(recipe.encoder, bands=shape.bands, frames=shape.segment_frames, **recipe.encoder_options)
    encoder.load_state_dict(averaged_weights(state) if averaged else state["encoder"])
    return Trained(encoder.eval(), recipe, state["digest"], state["step"])


def recipe_of(state: dict[str, Any], kind: type[R], path: Path) -> R:
    """Return the recipe in a checkpoint's state; raises OptionError when the run learned something else."""
    try:
        return msgspec.json.decode(state["recipe"], type=kind)
    except msgspec.ValidationError as error:
        raise OptionError(f"{path} is of a run that learned something else ({error}); give another one") from error


def export_onnx(trained: Trained, target: Path, *, licence: str = "") -> None:
    """Write an encoder as ONNX in float32; `licence` is the weights', an SPDX expression."""
    shape = trained.recipe.log_mel
    example = torch.zeros(2, 1, shape.bands, shape.segment_frames)
    encoder = trained.encoder
    with quiet():
        program = torch.onnx.export(
            encoder,
            (example,),
            input_names=["segments"],
            output_names=["vectors"],
            dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # dynamo=True returns one
    model = program.model_proto
    with torch.inference_mode():
        dimensions = int(encoder(example).shape[1])
    bare(model)
    onnx.helper.set_model_props(model, _said(trained, shape, dimensions, licence))
    write_onnx(model, target)


def quantise(source: Path, target: Path, segments: Spectrogram, *, reduce_range: bool = True) -> None:
    """Write an exported encoder in 8-bit integers.

    `segments`, shape (n, bands, frames), normalised, are some hundred such as it will see: the ranges of activations
    are taken from them. Activations are unsigned, weights signed and scaled for each channel; the first layer, and
    the vectors themselves, stay float32. With `reduce_range` weights have 7 bits, which costs next to nothing: on
    processors with AVX2 and no VNNI, sums of 8-bit products overflow 16 bits.
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
            nodes_to_exclude=_in_float(model),
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},
        )
        quantised = onnx.load(made)
    said = metadata(source) | {"precision": "int8 with 7-bit weights" if reduce_range else "int8"}
    del quantised.metadata_props[:]
    onnx.helper.set_model_props(quantised, said)
    write_onnx(quantised, target)


def metadata(path: Path) -> dict[str, str]:
    """Return what an exported file says of itself.

    `front_end` is the JSON of a LogMel; `dimensions`, `recipe`, `digest` (of the recipe), `step`, `sha256` (of the
    float32 weights), `licence`, `precision`.
    """
    return {one.key: one.value for one in onnx.load(path).metadata_props}


def _said(trained: Trained, shape: LogMel, dimensions: int, licence: str) -> dict[str, str]:
    return {
        "front_end": msgspec.json.encode(asdict(shape)).decode(),
        "dimensions": str(dimensions),
        "recipe": trained.recipe.name,
        "digest": trained.digest,
        "step": str(trained.step),
        "sha256": weights_checksum(trained.encoder.state_dict()),
        "licence": licence,
        "precision": "float32",
    }


def weights_checksum(weights: Mapping[str, Tensor]) -> str:
    """Return the sha256 of weights, in hexadecimal: of their names and values, by name."""
    checksum = hashlib.sha256()
    for name in sorted(weights):
        checksum.update(name.encode() + b"\0" + np.ascontiguousarray(weights[name].cpu().numpy()).tobytes())
    return checksum.hexdigest()


def bare(model: onnx.ModelProto) -> None:
    """Take away what the exporter noted of its own work: traces of calls, with the paths of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def write_onnx(model: onnx.ModelProto, target: Path) -> None:
    """Write a model; a reader sees the old file or the new one."""
    onnx.checker.check_model(model, full_check=True)
    part = target.with_name(f"{target.name}.part")
    with part.open("wb") as file:
        file.write(model.SerializeToString())
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


def _in_float(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes that stay as they are.

    The first layer is cheap, and its input is all that comes after it; what lies behind the last brings a vector to
    length 1.
    """
    names = [node.name for node in model.graph.node]
    layers = [place for place, node in enumerate(model.graph.node) if node.op_type in OF_LAYERS]
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
    """Keep to themselves what exporter and quantiser say of their own ways."""
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
