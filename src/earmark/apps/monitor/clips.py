"""The evidence of plays: the first seconds of each as an Opus file, the oldest removed where there are too many."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from earmark.apps.monitor.events import MonitorEvent
from earmark.apps.monitor.monitor import RATE
from earmark.arguments import made_folder
from earmark.atomic import written_beside
from earmark.catalog.plays import Play
from earmark.types import Samples

CLIP_SECONDS = 15.0
REMEMBERED_SECONDS = (
    90.0  # seconds of sound from which a clip can be cut: a play is first heard after its first windows
)
BIT_RATE = 24_000  # bits a second; enough to be identified again
NAME = re.compile(r"\d{8}T\d{6}Z-\d+\.opus")
UNSAFE = re.compile(r"[^\w.-]+")


@dataclass
class _Sound:
    """What was heard of a station lately."""

    blocks: deque[tuple[float, Samples]] = field(default_factory=deque)  # (UTC of the first sample, samples)
    waiting: dict[int, Play] = field(default_factory=dict)  # plays without a clip yet, by number
    end: float = 0.0


class Clips:
    """Keeps clips in a folder, one folder a station in it; a `Recorder` of the monitor."""

    def __init__(self, folder: Path, *, most: int) -> None:
        """`most`: clips that are kept, of all stations together. Raises OptionError."""
        self._folder, self._most = made_folder(folder), most
        self._sounds: dict[str, _Sound] = {}

    def hear(self, station: str, samples: Samples, start: float) -> None:
        """Remember the next samples, and write the clips that are whole now."""
        sound = self._sounds.setdefault(station, _Sound())
        sound.blocks.append((start, samples))
        sound.end = start + len(samples) / RATE
        while sound.blocks and sound.end - sound.blocks[0][0] > REMEMBERED_SECONDS + CLIP_SECONDS:
            sound.blocks.popleft()
        for play in [one for one in sound.waiting.values() if sound.end >= one.start + CLIP_SECONDS]:
            self._write(station, sound, play)

    def note(self, event: MonitorEvent) -> None:
        """Take note of a play that began, or ended before its clip was whole."""
        sound = self._sounds.setdefault(event.station, _Sound())
        if event.play is None:
            return
        if event.kind == "first_heard":
            sound.waiting[event.play.number] = event.play
            if sound.end >= event.play.start + CLIP_SECONDS:
                self._write(event.station, sound, event.play)
        elif event.kind == "closed" and event.play.number in sound.waiting:
            self._write(event.station, sound, event.play)
        elif event.kind == "withdrawn":
            sound.waiting.pop(event.play.number, None)

    def end(self, station: str) -> None:
        """Write what there is of the plays that wait, and forget the station."""
        sound = self._sounds.pop(station, _Sound())
        for play in list(sound.waiting.values()):
            self._write(station, sound, play)

    def kept(self) -> dict[int, Path]:
        """Return the clips by the numbers of their plays."""
        found = [path for path in self._folder.glob("*/*.opus") if NAME.fullmatch(path.name)]
        return {int(path.stem.rpartition("-")[2]): path for path in found}

    def _write(self, station: str, sound: _Sound, play: Play) -> None:
        sound.waiting.pop(play.number, None)
        samples = _cut(sound.blocks, play.start, play.start + CLIP_SECONDS)
        if not len(samples):
            return
        folder = self._folder / (UNSAFE.sub("_", station).strip(".") or "station")
        folder.mkdir(exist_ok=True)
        when = datetime.fromtimestamp(play.start, UTC).strftime("%Y%m%dT%H%M%SZ")
        with written_beside(folder / f"{when}-{play.number}.opus") as path:
            write_opus(path, samples)
        self._keep_few()

    def _keep_few(self) -> None:
        found = self.kept().values()
        for path in sorted(found, key=lambda one: one.name)[: max(len(found) - self._most, 0)]:
            path.unlink(missing_ok=True)


def write_opus(path: Path, samples: Samples) -> None:
    """Write mono samples at `RATE` as an Opus file."""
    import av

    with av.open(str(path), "w", format="ogg") as container:
        stream: Any = container.add_stream("libopus", rate=RATE, layout="mono")
        stream.bit_rate = BIT_RATE
        integers = np.clip(np.rint(samples * 32_767), -32_768, 32_767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(integers[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        context = stream.codec_context
        converter = av.AudioResampler(format=context.format, layout="mono", rate=RATE, frame_size=context.frame_size)
        for part in [*converter.resample(frame), *converter.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def _cut(blocks: deque[tuple[float, Samples]], start: float, end: float) -> Samples:
    """Return the samples between two moments."""
    parts = list[Samples]()
    for begun, samples in blocks:
        first, last = (round((moment - begun) * RATE) for moment in (start, end))
        parts.append(samples[max(first, 0) : max(last, 0)])
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
