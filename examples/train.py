"""Train a tiny model on the bundled music and find its nearest segments: python examples/train.py RUN_FOLDER

Half a minute on two cores (extra "train"). A real model is one command: see docs/learning.md.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded: its threads would wait for torch's

import numpy as np
import onnxruntime

from earmark.apps.demo import excerpts
from earmark.learn import prepare
from earmark.learn.recipe import FingerprintRecipe, Rooms
from earmark.learn.trainer import Progress
from earmark.learn.validation import Validation

RECIPE = FingerprintRecipe(
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
    # `earmark.learn.train` does all of this; `prepare` leaves the sounds at hand, to ask the model about them.
    training = prepare(excerpts()[0].parent, sys.argv[1], RECIPE, resume=True)  # after Ctrl-C it goes on
    training.run.train(progress=say, report_steps=30, validate_steps=150)
    model, _ = training.export()

    session, unheard = onnxruntime.InferenceSession(model), training.gathered.validation
    validation = Validation(unheard, RECIPE, queries=60)
    queries, catalog = validation.queries, validation.catalog
    asked, known = (session.run(None, {"segments": one.segments[:, None]})[0] for one in (queries, catalog))
    likeness = asked @ known.T
    names = [Path(name).stem for name in unheard.music.names]
    for query in range(8):
        nearest = int(np.argmax(likeness[query]))
        print(
            f"{names[queries.tracks[query]]} at {queries.seconds[query]:.1f} s, distorted, is nearest to "
            f"{names[catalog.tracks[nearest]]} at {catalog.seconds[nearest]:.1f} s ({likeness[query, nearest]:.2f})"
        )


if __name__ == "__main__":  # worker processes import this file
    main()
