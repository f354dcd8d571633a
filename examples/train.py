"""Train a tiny model on the bundled music and ask it what sounds alike: python examples/train.py RUN_FOLDER

Half a minute on two cores (extra "train"). A real model is one command: see docs/learning.md.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its threads would wait for torch's, and these for it

import numpy as np
import onnxruntime

from earmark.apps.demo import excerpts
from earmark.learn.corpus import export_models, gather
from earmark.learn.recipe import Recipe, Rooms
from earmark.learn.trainer import Progress
from earmark.learn.training import Run
from earmark.learn.validation import Validation

RECIPE = Recipe(
    name="tiny",
    batch=12,  # pairs of a clean segment and a distorted one, each of another track
    steps=300,
    encoder_options={"widths": [8, 16, 32], "blocks": [1, 1, 1], "hidden": 64, "dimensions": 64},
    ranges={"snr_decibels": [0.0, 15.0], "offset_seconds": 0.125},
    rooms=Rooms(count=10),
    learning_rate=5e-3,
    validation_share=0.2,
)


def say(progress: Progress) -> None:
    hit_rate = "" if progress.hit_rate is None else f", hit rate {progress.hit_rate:.0%}"
    print(f"step {progress.step} of {progress.steps}: loss {progress.loss:.2f}{hit_rate}")


def main() -> None:
    folder = Path(sys.argv[1])
    gathered = gather(excerpts()[0].parent, RECIPE, folder=folder)
    validation = Validation(gathered.validation, RECIPE, queries=60)
    run = Run(RECIPE, gathered.training, validation, folder=folder)
    run.resume()  # start the script again after Ctrl-C, and it goes on
    run.train(progress=say, report_steps=30, validate_steps=150)
    model, _ = export_models(folder / "checkpoint.pt", gathered.training, folder)

    session = onnxruntime.InferenceSession(model)
    queries, catalog = validation.queries, validation.catalog
    asked, known = (session.run(None, {"segments": one.segments[:, None]})[0] for one in (queries, catalog))
    likeness = asked @ known.T
    names = [Path(name).stem for name in gathered.validation.music.names]
    for query in range(8):
        nearest = int(np.argmax(likeness[query]))
        print(
            f"{names[queries.tracks[query]]} at {queries.seconds[query]:.1f} s, distorted, is nearest to "
            f"{names[catalog.tracks[nearest]]} at {catalog.seconds[nearest]:.1f} s ({likeness[query, nearest]:.2f})"
        )


if __name__ == "__main__":  # worker processes import this file
    main()
