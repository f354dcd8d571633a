"""The codes that a network learned with its vectors, as the metadata of its file have them."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.plan import LearnedCodes
from earmark.schema import prepared


class _Packed(msgspec.Struct):
    kind: Literal["signs", "codewords"]
    planes: str  # float32, little endian, in base64
    offsets: str


def read_codes(properties: Mapping[str, str], dimensions: int, path: Path) -> LearnedCodes | None:
    """Return the codes of vectors of so many dimensions, None for a network without any.

    Raises OptionError, which names the network's `path`, when they are damaged.
    """
    if "codes" not in properties:
        return None
    try:
        packed = msgspec.json.decode(properties["codes"], type=prepared(_Packed))
        planes, offsets = _numbers(packed.planes).reshape(-1, dimensions), _numbers(packed.offsets)
        if not len(planes) or planes.shape != (len(offsets), dimensions):
            raise ValueError(f"{len(planes)} planes, {len(offsets)} offsets")
    except ValueError as error:  # of msgspec, base64 and numpy alike
        raise OptionError(f"{path} has damaged codes ({error}); give the .onnx file of a trained one") from error
    return LearnedCodes(packed.kind, planes, offsets)


def _numbers(text: str) -> NDArray[np.float32]:
    numbers = np.frombuffer(a2b_base64(text), "<f4").astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ValueError("a number is not finite")
    return numbers
