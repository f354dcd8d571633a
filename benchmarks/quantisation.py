"""The cost of 8 bits: cosine to float32's vectors, validation hit rate, time per segment.

    python benchmarks/quantisation.py CHECKPOINT --data FOLDER --folder RUN [--rooms FILE]

CHECKPOINT is a run's checkpoint.pt, --data its recordings, --folder its --out. Vectors of distorted validation
segments (queries) and of all its segments (catalog) are compared; CPU time is of one thread, 16 segments at a time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprints.mel import Spectrogram
from earmark.learn.corpus import gather
from earmark.learn.export import calibration_segments, export_onnx, quantise, read_trained
from earmark.learn.validation import Validation

AT_ONCE = 16  # segments, as in `earmark index`

Vectors = NDArray[np.float32]


class Model:
    """An exported encoder, and the time it has taken."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(path.read_bytes(), options)
        self.seconds, self.segments = 0.0, 0

    def __call__(self, segments: Spectrogram) -> Vectors:
        began = time.process_time()
        parts = [segments[first : first + AT_ONCE, None] for first in range(0, len(segments), AT_ONCE)]
        vectors = np.concatenate([self._session.run(None, {"segments": part})[0] for part in parts])
        self.seconds += time.process_time() - began
        self.segments += len(segments)
        return vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rooms", type=Path)
    options = parser.parse_args()
    trained = read_trained(options.checkpoint)
    gathered = gather(options.data, trained.recipe, folder=options.folder, rooms=options.rooms)
    validation = Validation(gathered.validation, trained.recipe)
    calibration = calibration_segments(gathered.training, trained.recipe)
    queries, catalog = validation.queries.segments, validation.catalog.segments
    print(
        f"{options.checkpoint} at step {trained.step}; {len(queries)} queries, {len(catalog)} segments in the catalog"
    )
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "float32.onnx")
        export_onnx(trained, whole)
        wanted = Model(whole)(queries), Model(whole)(catalog)
        report("float32", whole, wanted, validation)
        for reduce_range, name in ((True, "int8, weights of 7 bits"), (False, "int8")):
            small = Path(folder, "int8.onnx")
            quantise(whole, small, calibration, reduce_range=reduce_range)
            report(name, small, wanted, validation)


def report(name: str, path: Path, wanted: tuple[Vectors, Vectors], validation: Validation) -> None:
    model = Model(path)
    hit_rate = validation.hit_rate(model)
    queries = (model(validation.queries.segments) * wanted[0]).sum(axis=1)
    catalog = (model(validation.catalog.segments) * wanted[1]).sum(axis=1)
    print(
        f"{name:24} {path.stat().st_size / 1e6:5.2f} MB  hit rate {hit_rate:.4f}  "
        f"cosine, mean and least: queries {queries.mean():.6f} {queries.min():.5f}, "
        f"catalog {catalog.mean():.6f} {catalog.min():.5f}  {model.seconds / model.segments * 1e3:.3f} ms a segment"
    )


if __name__ == "__main__":
    main()
