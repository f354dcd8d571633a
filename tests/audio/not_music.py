"""Sounds that are no recording of anything: tones, beeps, clicks, trains of clicks, a constant, a few samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

RATE = 16_000  # Hz
Sound = NDArray[np.float32]

FEW_SAMPLES = (1, 2, 7, 30, 100, 300, 1_000, 1_700, 2_500, 4_000)
TONES = (110.0, 261.6, 440.0, 1_000.0, 1_234.5, 2_000.0, 3_000.0, 3_800.0)  # Hz
BUZZES = (100.0, 220.0, 441.0)  # Hz
TRAINS = (0.5, 1.0, 1.7, 2.0, 3.0, 4.0, 5.3, 8.0, 10.0, 13.7, 20.0, 31.0, 50.0)  # clicks a second
BEEPS = ((800.0, 1.0, 0.2), (1_000.0, 0.5, 0.1), (440.0, 2.0, 1.0), (1_000.0, 0.25, 0.1))  # Hz, s apart, s long


def sounds(seconds: float, seed: int) -> Mapping[str, Sound]:
    """Return 50 such sounds by name; another `seed` gives other loudness, phases and places."""
    random = np.random.default_rng(seed)
    times = np.arange(int(seconds * RATE)) / RATE

    def sine(hertz: float) -> NDArray[np.float64]:
        return np.asarray(random.uniform(0.1, 0.8) * np.sin(2 * np.pi * hertz * times + random.uniform(0, 6)))

    def clicks(*at: float, width: int = 1) -> NDArray[np.float64]:
        sound, first = np.zeros(len(times)), (np.array(at) * RATE).astype(int)
        for place in range(width):
            sound[np.minimum(first + place, len(sound) - 1)] = 0.8
        return sound

    def train(rate: float, width: int = 1) -> NDArray[np.float64]:
        return clicks(*np.arange(random.uniform(0, 0.5), seconds, 1 / rate), width=width)

    made: dict[str, NDArray[np.float64]] = {
        f"{count} samples": random.uniform(-0.8, 0.8, count) if count % 2 else np.full(count, 0.5)
        for count in FEW_SAMPLES
    }
    made |= {f"tone {hertz:g}": sine(hertz) for hertz in TONES}
    made |= {f"square {hertz:g}": 0.3 * np.sign(sine(hertz)) for hertz in BUZZES}
    made |= {f"saw {hertz:g}": random.uniform(0.1, 0.8) * (2 * (hertz * times % 1) - 1) for hertz in BUZZES}
    made |= {f"train {rate:g}": train(rate) for rate in TRAINS}
    made |= {f"beeps {one[0]:g} {one[1]:g}": sine(one[0]) * (times % one[1] < one[2]) for one in BEEPS}
    made["chord"] = (sine(262) + sine(330) + sine(392)) / 3
    made["click"], made["two clicks"] = clicks(seconds * random.uniform(0.2, 0.8)), clicks(seconds / 4, seconds / 2)
    made["wide clicks"], made["quick wide clicks"] = train(2, 20), train(7, 5)
    made["constant"], made["step"] = np.full(len(times), 0.5), np.where(times > seconds / 3, 0.5, -0.2)
    made["tremolo"] = sine(500) * (1 + np.sin(8 * np.pi * times)) / 2
    made["siren"] = 0.3 * np.sin(1_200 * np.pi * times + 20 * np.sin(4 * np.pi * times))
    return {name: sound.astype(np.float32) for name, sound in made.items()}
