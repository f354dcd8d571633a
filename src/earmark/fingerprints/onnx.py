"""Trained networks as ONNX Runtime opens them: from bytes, in one thread, without reporting to anybody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from earmark.errors import OptionError


def open_network(path: Path, remedy: str, content: bytes | None = None) -> Any:
    """Return a session for a network; `content` is the file's where it has been read already.

    One thread, since several files are read at the same time. Raises OptionError, which ends with `remedy`.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # the official wheels send by default
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        read = path.read_bytes() if content is None else content
        return onnxruntime.InferenceSession(read, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own kinds have no common ancestor
        raise OptionError(f"{path} is no network ({error}); {remedy}") from error
