"""Files damaged at random, the same for the same seed."""

from __future__ import annotations

import numpy as np

MOST_BYTES = 64  # that are changed
SHARE_CUT = 0.3  # of the files that lose their end besides


def mutated(content: bytes, seed: int) -> bytes:
    """Return a file with 1 to `MOST_BYTES` bytes changed; some are also cut anywhere.

    Half of the files are damaged in their first kilobyte alone: headers are where decoders go wrong.
    """
    random = np.random.default_rng(seed)
    damaged = bytearray(content)
    reach = min(len(damaged), 1_024) if random.random() < 0.5 else len(damaged)
    for place in random.integers(0, reach, random.integers(1, MOST_BYTES + 1)):
        damaged[place] = random.integers(0, 256)
    if random.random() < SHARE_CUT:
        del damaged[random.integers(1, len(damaged)) :]
    return bytes(damaged)
