"""Timing: slices at any offset, and playback at another speed or tempo."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from earmark.errors import OptionError
from earmark.types import Samples

LARGEST_CHANGE = 2.0  # largest factor of speed or tempo; its inverse is the smallest


def slice_padded(samples: Samples, starts: ArrayLike, length: int) -> Samples:
    """Return `length` samples from `starts`, one or one for each clip, with zeros outside of the samples."""
    if samples.ndim == 1:
        return _slice_padded(samples, int(np.asarray(starts)), length)
    each = np.broadcast_to(np.asarray(starts), (len(samples),))
    return np.stack([_slice_padded(clip, int(start), length) for clip, start in zip(samples, each, strict=True)])


def change_speed(samples: Samples, speed: ArrayLike, *, length: int | None = None) -> Samples:
    """Return samples at another speed, tempo and pitch together: sample k moves to k / speed.

    The result is cut or padded with zeros to `length` samples; the default is round(n / speed), if all clips agree.
    """
    return _each(samples, speed, length, _resampled)


def change_tempo(samples: Samples, tempo: ArrayLike, *, rate: int, length: int | None = None) -> Samples:
    """Return samples at another tempo and the same pitch (FFmpeg's atempo); lengths as in `change_speed`."""
    return _each(samples, tempo, length, lambda clip, factor: _stretched(clip, factor, rate))


def _each(
    samples: Samples, factors: ArrayLike, length: int | None, change: Callable[[Samples, float], Samples]
) -> Samples:
    each = np.broadcast_to(np.asarray(factors, np.float64), samples.shape[:-1])
    _check(each)
    if length is None:
        lengths = {round(samples.shape[-1] / float(factor)) for factor in each.flat}
        if len(lengths) > 1:
            raise OptionError(f"clips would get {len(lengths)} lengths; give length=")
        (length,) = lengths
    clips = samples.reshape(-1, samples.shape[-1])
    out = [_slice_padded(change(clip, float(factor)), 0, length) for clip, factor in zip(clips, each.flat, strict=True)]
    return np.stack(out).reshape(*samples.shape[:-1], length)


def _check(factors: NDArray[np.float64]) -> None:
    wrong = factors[(factors < 1 / LARGEST_CHANGE) | (factors > LARGEST_CHANGE)]
    if wrong.size:
        raise OptionError(f"a factor of {wrong.flat[0]:g}; give {1 / LARGEST_CHANGE:g} to {LARGEST_CHANGE:g}")


def _resampled(clip: Samples, speed: float) -> Samples:
    return clip if speed == 1 else np.asarray(soxr.resample(clip, speed, 1.0, quality="HQ"), np.float32)


def _stretched(clip: Samples, tempo: float, rate: int) -> Samples:
    if tempo == 1:
        return clip
    graph = av.filter.Graph()
    source = graph.add_abuffer(format="flt", sample_rate=rate, layout="mono", time_base=Fraction(1, rate))
    tempo_filter, sink = graph.add("atempo", f"{tempo:.9f}"), graph.add("abuffersink")
    source.link_to(tempo_filter)
    tempo_filter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(clip[None]), format="flt", layout="mono")
    frame.sample_rate = rate
    source.push(frame)
    source.push(None)
    blocks = [np.zeros(0, np.float32)]
    while True:
        try:
            played: Any = sink.pull()
        except (av.BlockingIOError, av.EOFError):
            return np.concatenate(blocks)
        blocks.append(played.to_ndarray()[0])


def _slice_padded(clip: Samples, start: int, length: int) -> Samples:
    out = np.zeros(length, np.float32)
    first, last = max(start, 0), min(start + length, len(clip))
    if last > first:
        out[first - start : last - start] = clip[first:last]
    return out
