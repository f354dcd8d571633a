"""Learning a clip's relief: how much each place of its spectrogram speaks for a peak of the recording there.

recipe      every number of a run, read from TOML (recipes/relief.toml)
references  the peaks of whole recordings, as a catalog has them
batches     clips as they arrive, and the peaks of the places they might be of
network     the network
objective   the loss
training    a run
export      the trained network as ONNX, as `fingerprint.relief.LearnedRelief` reads it
"""
