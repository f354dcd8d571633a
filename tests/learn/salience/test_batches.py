from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from earmark.audio.stft import FrontEnd, PowerStream
from earmark.fingerprints.peaks import PeakShape, PeakStream
from earmark.fingerprints.salience import contrast_features
from earmark.learn.recipe import Playing
from earmark.learn.salience.batches import ClipBatches
from earmark.learn.salience.references import NOTHING
from tests.learn.test_pairs import NOTHING as AS_IT_IS


@pytest.fixture(scope="module")
def easy(recipe):
    """A recipe that does nothing to a clip."""
    return replace(recipe, ranges=AS_IT_IS, playing=Playing())


def test_a_batch_is_the_same_whoever_makes_it_and_whenever(training_set, references, recipe):
    first, second = ClipBatches(training_set, references, recipe), ClipBatches(training_set, references, recipe)
    first.batch(0)
    one, other, next_one = first.batch(7), second.batch(7), second.batch(8)
    assert np.array_equal(one.contrasts, other.contrasts)
    assert np.array_equal(one.windows, other.windows)
    assert not np.array_equal(one.windows, next_one.windows)
    assert not np.array_equal(one.windows, ClipBatches(training_set, references, recipe, seed=5).batch(7).windows)


def test_a_batch_has_the_shapes_that_it_says(training_set, references, recipe):
    made = ClipBatches(training_set, references, recipe).batch(1)
    assert made.contrasts.shape == (6, 2, 32, 496)
    assert made.contrasts.dtype == np.float16
    assert len(made.windows) == 6 + 6 + 60
    assert made.windows.max() < recipe.heard_frames * 496


def test_the_network_sees_what_it_will_be_shown_in_use(training_set, references, easy):
    """The contrasts of a clip are those that a query's spectrogram has, which `SalienceNet` gets."""
    batches = ClipBatches(training_set, references, easy)
    raw, made = batches.raw(2), batches.batch(2)
    shape = easy.clips.log_mel
    for row in range(len(made.contrasts)):
        clip = raw.anchors[row, shape.margin : -shape.margin]
        spectra = np.concatenate(spectra_of(clip, shape.margin, easy.spectrum))
        assert len(spectra) == easy.heard_frames
        wanted = contrast_features(np.pad(np.log(spectra + np.float32(1e-10)), ((0, 1), (0, 0)), mode="edge"))
        assert np.abs(made.contrasts[row] - wanted).mean() < 0.01


def test_a_clips_own_window_has_its_own_peaks(training_set, references, easy):
    made = ClipBatches(training_set, references, easy).batch(3)
    own, others = [], []
    for row, seen in enumerate(made.contrasts.astype(np.float32)):
        for window, found in ((made.windows[row], own), (made.windows[len(made.contrasts) + row], others)):
            found.append(seen[0].reshape(-1)[window[window != NOTHING]].mean())
    assert np.mean(own) > 2
    assert np.mean(others) < 1


def test_windows_are_the_peaks_that_the_stretch_itself_has(training_set, references, easy):
    """But for those at its edges, whose surroundings lie in part beyond it."""
    batches = ClipBatches(training_set, references, easy)
    raw, made = batches.raw(4), batches.batch(4)
    shape = easy.clips.log_mel
    for row in range(len(made.contrasts)):
        clip = raw.anchors[row, shape.margin : -shape.margin]
        stream = PeakStream(PeakShape(), keep=80)
        peaks = stream.take(spectra_of(clip, shape.margin, easy.spectrum))
        found = {(int(frame), int(one)) for frame, one in zip(peaks.frames, peaks.bins, strict=True)}
        near = {(frame + step, one + up) for frame, one in found for step in (-1, 0, 1) for up in (-1, 0, 1)}
        window = made.windows[row][made.windows[row] != NOTHING]
        inside = [cell for cell in window.tolist() if 6 <= cell // 496 < easy.heard_frames - 6]
        assert np.mean([divmod(cell, 496) in near for cell in inside]) > 0.75


def spectra_of(clip: np.ndarray, margin: int, front_end: FrontEnd) -> list[np.ndarray]:
    """Return the power spectrogram of a clip in chunks, with the silence around it that frames reach into."""
    power, silence = PowerStream(front_end, frames=PeakShape().chunk_frames), np.zeros(margin, np.float32)
    blocks = (silence, clip, silence)
    return [chunk for block in blocks for chunk in power.push(block)] + list(power.rest())
