"""The whole chain for a batch: offset, room, microphone and equaliser, noise, gain.

`draw` draws numbers for each clip from its own generator, `distort` applies them to arrays. Room, microphone and curve
are one product of spectra (`Channel`). Noise passes the microphone and the curve but no room, because recordings of
noise have one already. The signal-to-noise ratio is that of the output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from earmark.distort.filters import curve_amplitudes, equaliser_curve, pass_curve, transform_length
from earmark.distort.levels import amplitude, noise_gain
from earmark.errors import OptionError
from earmark.types import Samples

Spectra = NDArray[np.complex64]

NONE = -1  # number that stands for no response
CHUNK = 16  # clips at once; their spectra fit into the cache
EQUALISER_POINTS = 8  # points, about an octave apart


@dataclass(frozen=True, slots=True)
class Ranges:
    """Ranges of distortions; values are drawn evenly between two limits (frequencies on a logarithmic scale)."""

    offset_seconds: float = 0.2  # largest offset, either way (NAFP)
    room_share: float = 0.75  # share of clips in a room
    microphone_share: float = 0.75  # share of clips through a microphone
    equaliser_decibels: float = 6.0  # largest gain or loss at each of 8 points
    high_pass_hertz: tuple[float, float] = (30.0, 400.0)  # loudspeakers of phones: 300 to 400
    low_pass_hertz: tuple[float, float] = (2_500.0, 8_000.0)
    noise_share: float = 1.0  # share of clips with noise
    snr_decibels: tuple[float, float] = (0.0, 10.0)  # active power of the music / mean power of the noise (NAFP)
    gain_decibels: tuple[float, float] = (-20.0, 0.0)  # amplitude factors 0.1 to 1 (NAFP)


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """The distortions of each clip of a batch."""

    offsets: NDArray[np.int64]  # (b,) samples
    rooms: NDArray[np.int64]  # (b,) indices into the channel's responses, or NONE
    microphones: NDArray[np.int64]  # (b,)
    curves: NDArray[np.float32]  # (b, CURVE_POINTS) dB
    snr_decibels: NDArray[np.float64]  # (b,), infinite: no noise
    gain_decibels: NDArray[np.float64]  # (b,)

    def __len__(self) -> int:
        return len(self.offsets)


class Channel:
    """Spectra of the rooms and microphones for clips of one length.

    `rooms` and `microphones` are aligned responses, shape (m,) each. Reverberation is that of the clip and of
    `history_seconds` of music before it; longer responses are used whole, with silence before that.
    """

    def __init__(
        self,
        *,
        rate: int,
        samples: int,
        rooms: Sequence[Samples] = (),
        microphones: Sequence[Samples] = (),
        history_seconds: float = 1.0,
    ) -> None:
        self.rate, self.samples, self.history = rate, samples, round(history_seconds * rate)
        ringing = max([len(response) for response in microphones] or [1]) - 1
        reach = max([len(response) for response in rooms] or [1]) + ringing
        needed = max(self.history + samples, samples + reach - 1)  # circular convolution must not reach the clip
        self.length = transform_length(needed, rate=rate)
        self.noise_length = transform_length(samples + ringing, rate=rate)
        self.rooms = _spectra(rooms, self.length)
        self.microphones = _spectra(microphones, self.length)
        self.noise_microphones = _spectra(microphones, self.noise_length)


def draw(ranges: Ranges, channel: Channel, generators: Sequence[np.random.Generator]) -> Draws:
    """Return the distortions of each clip; each generator gives 10 numbers and the equaliser's 8."""
    chance = np.stack([generator.random(10 + EQUALISER_POINTS) for generator in generators])

    def between(column: int, low: float, high: float) -> NDArray[np.float64]:
        return low + (high - low) * chance[:, column]

    def number(column: int, share: float, count: int) -> NDArray[np.int64]:
        picked = (chance[:, column + 1] * count).astype(np.int64)
        return np.where(chance[:, column] < share, picked, NONE) if count else np.full(len(chance), NONE)

    reach = ranges.offset_seconds * channel.rate
    curves = equaliser_curve(ranges.equaliser_decibels * (2 * chance[:, 10:] - 1))
    for column, limits, high in ((5, ranges.high_pass_hertz, True), (6, ranges.low_pass_hertz, False)):
        hertz = np.exp(between(column, *np.log(limits)))
        curves = curves + pass_curve(hertz, rate=channel.rate, high=high)
    return Draws(
        offsets=np.rint(between(0, -reach, reach)).astype(np.int64),
        rooms=number(1, ranges.room_share, len(channel.rooms) - 1),
        microphones=number(3, ranges.microphone_share, len(channel.microphones) - 1),
        curves=curves,
        snr_decibels=np.where(chance[:, 9] < ranges.noise_share, between(7, *ranges.snr_decibels), np.inf),
        gain_decibels=between(8, *ranges.gain_decibels),
    )


def distort(music: Samples, noise: Samples, draws: Draws, channel: Channel) -> Samples:
    """Return the distorted clips, shape (b, n).

    `music`, shape (b, m), is `history` samples and then the clip's n, with as many more on either side as offsets may
    reach. `noise` has shape (b, n). Raises OptionError when an offset reaches outside.
    """
    spare = music.shape[-1] - channel.history - channel.samples
    starts = spare // 2 + draws.offsets
    if noise.shape[-1] != channel.samples or starts.min() < 0 or starts.max() > spare:
        reach = int(np.abs(draws.offsets).max())
        raise OptionError(
            f"music of {music.shape[-1]} and noise of {noise.shape[-1]} samples; give "
            f"{channel.history + channel.samples + 2 * reach} and {channel.samples}"
        )
    out = np.empty((len(draws), channel.samples), np.float32)
    for first in range(0, len(draws), CHUNK):
        rows = slice(first, first + CHUNK)
        wet = _through_room(music[rows], starts[rows], draws, rows, channel)
        arrived = _through_microphone(noise[rows], draws, rows, channel)
        arrived *= noise_gain(wet, arrived, draws.snr_decibels[rows], rate=channel.rate)[:, None]
        arrived += wet
        np.multiply(arrived, amplitude(draws.gain_decibels[rows])[:, None], out=out[rows])
    return out


def _through_room(music: Samples, starts: NDArray[np.int64], draws: Draws, rows: slice, channel: Channel) -> Samples:
    padded = np.zeros((len(music), channel.length), np.float32)
    reach = channel.history + channel.samples
    for row, (clip, start) in enumerate(zip(music, starts, strict=True)):
        padded[row, :reach] = clip[start : start + reach]
    spectra = fft.rfft(padded, overwrite_x=True)
    spectra *= channel.rooms[draws.rooms[rows]]
    spectra *= channel.microphones[draws.microphones[rows]]
    spectra *= curve_amplitudes(draws.curves[rows], rate=channel.rate, length=channel.length)
    wet: Samples = fft.irfft(spectra, channel.length, overwrite_x=True)[:, channel.history : reach]
    return wet


def _through_microphone(noise: Samples, draws: Draws, rows: slice, channel: Channel) -> Samples:
    spectra = fft.rfft(noise, channel.noise_length)
    spectra *= channel.noise_microphones[draws.microphones[rows]]
    spectra *= curve_amplitudes(draws.curves[rows], rate=channel.rate, length=channel.noise_length)
    arrived: Samples = fft.irfft(spectra, channel.noise_length, overwrite_x=True)[:, : channel.samples]
    return arrived


def _spectra(responses: Sequence[Samples], length: int) -> Spectra:
    """Return the spectra of the responses and a flat one, number NONE, (m + 1, bins)."""
    spectra: Spectra = np.ones((len(responses) + 1, length // 2 + 1), np.complex64)
    for row, response in enumerate(responses):
        spectra[row] = fft.rfft(response, length)
    return spectra
