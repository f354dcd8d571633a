"""Learning fingerprints, the only room that imports torch (extra "train"): `train(data, folder, recipe)` does it all.

recipe, corpus, pcm, mixes, pairs, prefetch   from TOML and recordings to batches
encoders/, objectives/, codes, network        networks, losses, hash codes, and what a recipe makes of them
trainer, validation, checkpoint, training     a run of fingerprints (on_device: on a GPU); salience/: of salience maps
export, task                                  models as ONNX; the way from a recipe to models
"""

from earmark.learn.task import Training, prepare, train

__all__ = ["Training", "prepare", "train"]
