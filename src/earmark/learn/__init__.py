"""Learning fingerprints: the only room that imports torch (extra "train").

recipe      every number of a training run, read from TOML; recipes/ holds those that come with earmark
sounds      music, noise and speech, decoded once to 16 bits and mapped from disk
pieces      what a pair is made of: a place in a track, or music that does not exist, made of one or two
batches     pairs of a clean segment and the same one as it arrives; batch k of a seed is always the same
ahead       batches made by other processes
tensors     distortions and front end on torch tensors, for a GPU
encoders/   networks from a log-mel segment to a vector
objectives/ losses
loop        training, whatever is learned: resumable, with progress and logs
training    a fingerprint's run
validation  how often a distorted segment finds the segment it was made of
checkpoint  the state of a run on disk
export      a trained network as ONNX, for use without torch
relief/     the same for a clip's relief: its recipe, batches, network, loss, run and export
"""
