"""A sound device as a source, by sounddevice (PortAudio), the extra `mic`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any

import numpy as np

from earmark.errors import OptionError
from earmark.streams.backoff import Backoff
from earmark.streams.items import Gap, Item, Sound
from earmark.types import Samples

BLOCK_SECONDS = 0.1
LOUDEST = 8.0  # times full scale; a driver that gives more is at fault
LOST_SECONDS = 3.0  # seconds without a block after which a device counts as unplugged
MISSING = (
    "the microphone needs the extra mic: pip install 'earmark[mic]', and on Linux PortAudio: apt install libportaudio2"
)


class Capture:
    """Takes blocks from PortAudio's thread; `take` hands them out in another one."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.overflows = 0  # times that the device lost sound because it was not fetched in time
        self._blocks, self._clock = SimpleQueue[tuple[Samples, float]](), clock

    def callback(self, block: Any, frames: int, times: Any, status: Any) -> None:
        """Take a block, (n, channels), as sounddevice gives it."""
        if status and getattr(status, "input_overflow", False):
            self.overflows += 1
        finite = np.nan_to_num(np.asarray(block, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        self._blocks.put((np.clip(finite, -LOUDEST, LOUDEST).mean(axis=1), self._clock()))

    def take(self, *, wait_seconds: float) -> tuple[Samples, float] | None:
        """Return the next block with the time of its end; None where none comes in time."""
        try:
            return self._blocks.get(timeout=wait_seconds)
        except Empty:
            return None


class MicrophoneSource:
    """A sound device; one that is unplugged is waited for."""

    is_live = True

    def __init__(
        self,
        device: str | int | None = None,
        *,
        rate: int,
        clock: Callable[[], float] = time.time,
        backoff: Backoff | None = None,
    ) -> None:
        """`device`: its number, or a part of its name; None for the default one. Raises OptionError where none is."""
        self.rate, self._clock, self._backoff = rate, clock, backoff or Backoff()
        self._devices = _sounddevice()
        self._device, self.name = _chosen(self._devices, device)
        self._stopped = Event()
        self.overflows = 0

    def items(self) -> Iterator[Item]:
        """Yield sound; a gap where the device was gone."""
        while not self._stopped.is_set():
            heard, reason = 0.0, "the device is gone"
            capture = Capture(clock=self._clock)
            try:
                with self._devices.InputStream(
                    samplerate=self.rate,
                    device=self._device,
                    channels=1,
                    dtype="float32",
                    blocksize=round(BLOCK_SECONDS * self.rate),
                    callback=capture.callback,
                ):
                    while not self._stopped.is_set() and (taken := capture.take(wait_seconds=LOST_SECONDS)):
                        heard += len(taken[0]) / self.rate
                        self.overflows += capture.overflows
                        capture.overflows = 0
                        yield Sound(*taken)
            except self._devices.PortAudioError as error:
                reason = str(error)
            if self._stopped.is_set():
                return
            self._backoff.heard(heard)
            yield Gap(reason, self._clock())
            self._stopped.wait(self._backoff.next_seconds())

    def close(self) -> None:
        """Let go of the device."""
        self._stopped.set()


def _sounddevice() -> Any:
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the module is there, PortAudio is not
        raise OptionError(f"{MISSING} ({error})") from error
    return sounddevice


def _chosen(devices: Any, device: str | int | None) -> tuple[Any, str]:
    """Return (what PortAudio knows a device by, its name)."""
    named = int(device) if isinstance(device, str) and device.isdigit() else device
    try:
        found = devices.query_devices(named, "input")
    except (ValueError, devices.PortAudioError) as error:
        names = [
            f"{number}: {one['name']}"
            for number, one in enumerate(devices.query_devices())
            if one["max_input_channels"]
        ]
        known = f"those there are: {', '.join(names)}" if names else "there is none; plug one in"
        wanted = "a microphone" if device is None else f"the device {device!r}"
        raise OptionError(f"{wanted} cannot be found ({error}); {known}") from error
    return found["index"], str(found["name"])
