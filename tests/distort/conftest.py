from __future__ import annotations

import numpy as np
import pytest

from earmark.audio.decode import load

RATE = 8_000


@pytest.fixture(scope="session")
def recordings(music):
    """Eight bundled excerpts at 8 kHz, the first 20 s of each, shape (8, 160000)."""
    return np.stack([load(path, rate=RATE)[0][: 20 * RATE] for path in music[:8]])
