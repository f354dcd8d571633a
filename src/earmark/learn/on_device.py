"""Distortions and front end on torch tensors, for a device that is faster at them than the CPU.

Equal to `earmark.distort.distort` and `earmark.fingerprints.mel` but for float32 rounding, from the same draws; each
function names the one that it equals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earmark.distort import Channel, Draws
from earmark.distort.filters import curve_bins
from earmark.distort.levels import ACTIVE_DECIBELS, FRAME_SECONDS
from earmark.fingerprints.mel import QUIETEST, LogMel, filter_bank
from earmark.learn.pairs import RawPairs

LOG_10 = float(np.log(10))


@dataclass(frozen=True, slots=True, eq=False)
class ChannelTensors:
    """Spectra of a channel's rooms and microphones, and its curves, on a device."""

    rate: int
    samples: int
    history: int
    length: int
    noise_length: int
    rooms: Tensor  # (m, length // 2 + 1) complex; the last is flat: no room
    microphones: Tensor
    noise_microphones: Tensor
    curve_bins: Tensor  # (curve points, length // 2 + 1)
    noise_curve_bins: Tensor

    @classmethod
    def of(cls, channel: Channel, device: torch.device) -> ChannelTensors:
        """Return a channel on a device."""

        def there(values: NDArray[np.complex64] | NDArray[np.float32]) -> Tensor:
            return torch.from_numpy(values).to(device)

        return cls(
            rate=channel.rate,
            samples=channel.samples,
            history=channel.history,
            length=channel.length,
            noise_length=channel.noise_length,
            rooms=there(channel.rooms),
            microphones=there(channel.microphones),
            noise_microphones=there(channel.noise_microphones),
            curve_bins=there(curve_bins(channel.rate, channel.length)),
            noise_curve_bins=there(curve_bins(channel.rate, channel.noise_length)),
        )


def segments_of(raw: RawPairs, channel: ChannelTensors, shape: LogMel) -> Tensor:
    """Return a batch's anchors, then its positives, normalised: (2 b, 1, bands, frames)."""
    device = channel.rooms.device

    def there(values: NDArray[np.float32] | NDArray[np.bool_]) -> Tensor:
        return torch.from_numpy(values).to(device, non_blocking=True)

    arrived = distort(there(raw.music), there(raw.noise), raw.draws, channel) * there(raw.clip_mask)
    anchors = normalised(log_mel_segments(there(raw.anchors), shape), shape)
    positives = normalised(log_mel_segments(arrived, shape), shape)
    positives = torch.where(there(raw.spec_mask), positives.amin(dim=(1, 2), keepdim=True), positives)
    return torch.cat([anchors, positives])[:, None]


def distort(music: Tensor, noise: Tensor, draws: Draws, channel: ChannelTensors) -> Tensor:
    """Return distorted clips, (b, n): `earmark.distort.distort`, with the same shapes."""
    device = music.device
    spare = music.shape[-1] - channel.history - channel.samples
    reach = channel.history + channel.samples
    starts = torch.from_numpy(spare // 2 + draws.offsets).to(device)
    played = music.gather(1, starts[:, None] + torch.arange(reach, device=device))
    rooms, microphones = (torch.from_numpy(numbers).to(device) for numbers in (draws.rooms, draws.microphones))
    curves = torch.from_numpy(draws.curves).to(device)

    spectra = torch.fft.rfft(played, channel.length)
    spectra = spectra * channel.rooms[rooms] * channel.microphones[microphones]
    spectra = spectra * _amplitudes(curves, channel.curve_bins)
    wet = torch.fft.irfft(spectra, channel.length)[:, channel.history : reach]

    spectra = torch.fft.rfft(noise, channel.noise_length) * channel.noise_microphones[microphones]
    spectra = spectra * _amplitudes(curves, channel.noise_curve_bins)
    arrived = torch.fft.irfft(spectra, channel.noise_length)[:, : channel.samples]

    snr_decibels, gain_decibels = (
        torch.from_numpy(values.astype(np.float32)).to(device) for values in (draws.snr_decibels, draws.gain_decibels)
    )
    mixed: Tensor = wet + noise_gain(wet, arrived, snr_decibels, rate=channel.rate)[:, None] * arrived
    return mixed.mul(_ratio(gain_decibels / 2)[:, None])


def noise_gain(music: Tensor, noise: Tensor, snr_decibels: Tensor, *, rate: int) -> Tensor:
    """Return the factor that brings noise to a signal-to-noise ratio, (b,): `distort.levels.noise_gain`."""
    wanted = active_power(music, rate=rate) * _ratio(-snr_decibels)
    present = noise.square().mean(dim=-1)
    gain: Tensor = torch.where(present > 0, wanted / present, 0.0).sqrt()
    return gain


def active_power(samples: Tensor, *, rate: int) -> Tensor:
    """Return the mean power of clips without their pauses, (b,): `distort.active_power`."""
    frame = min(round(FRAME_SECONDS * rate), samples.shape[-1])
    count = samples.shape[-1] // frame
    powers = samples[:, : count * frame].reshape(len(samples), count, frame).square().mean(dim=-1)
    active = powers >= powers.amax(dim=-1, keepdim=True) * 10 ** (-ACTIVE_DECIBELS / 10)
    return (powers * active).sum(dim=-1) / active.sum(dim=-1)


def log_mel_segments(samples: Tensor, shape: LogMel) -> Tensor:
    """Return spectrograms, (b, bands, frames): `fingerprints.mel.log_mel_segments`."""
    taper = torch.from_numpy(np.hanning(shape.window).astype(np.float32)).to(samples.device)
    windows = samples.unfold(-1, shape.window, shape.hop)
    power = torch.fft.rfft(windows * taper).abs().square()
    bands: Tensor = power @ torch.from_numpy(filter_bank(shape)).to(samples.device)
    return bands.clamp_min(QUIETEST).log10().transpose(-1, -2)


def normalised(segments: Tensor, shape: LogMel) -> Tensor:
    """Return segments of mean 0 and standard deviation 1: `fingerprints.mel.normalised`."""
    floored = torch.maximum(segments, segments.amax(dim=(1, 2), keepdim=True) - shape.floor_decibels / 10)
    floored = floored - floored.mean(dim=(1, 2), keepdim=True)
    return floored.div(floored.square().mean(dim=(1, 2), keepdim=True).sqrt() + 1e-3)


def _amplitudes(curves: Tensor, bins: Tensor) -> Tensor:
    """Return curves in decibels as factors: `distort.filters.curve_amplitudes`."""
    return _ratio(curves @ bins / 2)


def _ratio(decibels: Tensor) -> Tensor:
    return torch.exp(decibels * (LOG_10 / 10))
