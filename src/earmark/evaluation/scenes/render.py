"""A scene as samples."""

from __future__ import annotations

import numpy as np

from earmark.distort.levels import add_noise
from earmark.distort.timing import change_speed
from earmark.evaluation.recordings import Recordings
from earmark.evaluation.scenes.material import Material
from earmark.evaluation.scenes.scene import Excerpt, Scene
from earmark.types import Samples

LOUDEST = 0.95  # share of full scale; a scene with a louder peak is made softer as a whole


def render(scene: Scene, material: Material) -> Samples:
    """Return a scene at the rate of the material's sounds, shape (n,)."""
    rate = material.sounds.rate
    heard = np.zeros(round(scene.seconds * rate), np.float32)
    for excerpt in scene.excerpts:
        first = round(excerpt.at * rate)
        sound = _sound(excerpt, material.sounds)[: len(heard) - first]
        under = heard[first : first + len(sound)]
        if excerpt.replaces:
            under[:] = 0
        under += sound
    if scene.snr_decibels is not None:
        noise = material.noise(scene.seconds, np.random.default_rng(scene.seed))[: len(heard)]
        heard = add_noise(heard, noise, scene.snr_decibels, rate=rate)
    peak = float(np.abs(heard).max(initial=0.0))
    return heard * np.float32(LOUDEST / peak) if peak > LOUDEST else heard


def _sound(excerpt: Excerpt, sounds: Recordings) -> Samples:
    """Return an excerpt as it is heard."""
    length = round(excerpt.seconds * sounds.rate)
    sound = sounds.piece(excerpt.path, excerpt.start, excerpt.seconds * excerpt.speed)
    sound = change_speed(sound, excerpt.speed, length=length) * np.float32(excerpt.gain)
    for fade, ends in ((excerpt.fade_in, sound), (excerpt.fade_out, sound[::-1])):
        count = min(round(fade * sounds.rate), length)
        if count:  # the sine keeps the power of a cross-fade
            ends[:count] *= np.sin(np.linspace(0, np.pi / 2, count, dtype=np.float32))
    return sound
