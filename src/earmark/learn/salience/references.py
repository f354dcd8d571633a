"""The peaks of whole recordings, as a catalog has them: what a salience map is learned from."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.atomic import written_beside
from earmark.audio.stft import PowerStream
from earmark.errors import OptionError
from earmark.fingerprints.landmarks import CompanionShape, LandmarkShape
from earmark.fingerprints.mel import LogMel
from earmark.fingerprints.peaks import PeakStream
from earmark.fingerprints.protocol import spec_of
from earmark.learn.pcm import Sounds
from earmark.learn.salience.recipe import SalienceRecipe
from earmark.types import Samples

COMPANION = CompanionShape()
PEAKS_PER_BLOCK = COMPANION.density.stored  # peaks, at most
SECONDS_AT_ONCE = 10  # seconds of sound in a block that is transformed
NOTHING = -1  # cell number that stands for no peak

Cells = NDArray[np.int32]  # (k,) frame * bins + bin of each peak, filled up with `NOTHING`


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """Peaks of recordings: those of recording k are `frames[starts[k] : starts[k + 1]]`, in order, and their bins."""

    starts: NDArray[np.int64]  # (recordings + 1,)
    frames: NDArray[np.int32]  # (n,)
    bins: NDArray[np.int32]  # (n,), 0 at the band's lowest
    hop: int  # samples
    width: int  # bins in the band

    def window(self, track: int, place: int, frames: int) -> Cells:
        """Return the peaks under a clip of `frames` frames that begins at sample `place` of a recording."""
        first, last = self.starts[track], self.starts[track + 1]
        offset = place / self.hop
        inside = slice(*(first + np.searchsorted(self.frames[first:last], [offset - 1, offset + frames + 1])))
        moments = np.rint(self.frames[inside] - offset).astype(np.int32)
        within = (moments >= 0) & (moments < frames)
        cells = moments[within] * np.int32(self.width) + self.bins[inside][within]
        window = np.full(most_peaks(frames), NOTHING, np.int32)
        window[: len(cells)] = cells
        return window


def most_peaks(frames: int) -> int:
    """Return the largest number of peaks in so many frames, which may touch one block more than they fill."""
    return PEAKS_PER_BLOCK * (-(-frames // COMPANION.peaks.block_frames) + 1)


def find_references(
    music: Sounds, recipe: SalienceRecipe, *, folder: Path, progress: Callable[[int, int], object] | None = None
) -> References:
    """Return the peaks of all recordings, from a file in `folder` if it is there, else found and written to it.

    `progress` is called with (recordings done, recordings). Raises OptionError when the file is damaged.
    """
    shape, log_mel = LandmarkShape(COMPANION.density, recipe.spectrum, COMPANION.peaks), recipe.clips.log_mel
    key = [str(spec_of("peaks", 1, shape)), log_mel.margin, Path(str(music.samples.filename)).name, *music.names]
    path = folder / f"peaks-{hashlib.sha256(msgspec.json.encode(key)).hexdigest()[:20]}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, _of_all(music, shape, log_mel, progress))
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            starts, frames, bins = (kept[name] for name in ("starts", "frames", "bins"))
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise OptionError(f"{path} holds no peaks ({error}); remove it, and they are found again") from error
    front_end = recipe.spectrum
    return References(starts, frames, bins, front_end.hop, front_end.high_bin - front_end.low_bin)


def _of_all(
    music: Sounds, shape: LandmarkShape, log_mel: LogMel, progress: Callable[[int, int], object] | None
) -> dict[str, NDArray[np.generic]]:
    found = []
    for track in range(len(music)):
        power = PowerStream(shape.front_end, frames=shape.peaks.chunk_frames)
        stream, silence = PeakStream(shape.peaks, keep=shape.density.stored), np.zeros(log_mel.margin, np.float32)
        for block in chain([silence], _blocks(music, track), [silence]):
            for chunk in power.push(block):
                stream.push(chunk)
        peaks = stream.take(power.rest())
        found.append((peaks.frames, peaks.bins))
        if progress is not None:
            progress(track + 1, len(music))
    frames, bins = (np.concatenate(column) for column in zip(*found, strict=True))
    return {"starts": np.cumsum([0, *(len(one) for one, _ in found)]), "frames": frames, "bins": bins}


def _blocks(music: Sounds, track: int) -> Iterator[Samples]:
    length, block = int(music.lengths[track]), SECONDS_AT_ONCE * music.rate
    return (music.excerpt(track, first, min(block, length - first)) for first in range(0, length, block))


def _write(path: Path, columns: dict[str, NDArray[np.generic]]) -> None:
    """Write arrays to a file; a reader sees all of it or nothing."""
    with written_beside(path) as part, part.open("wb") as file:
        np.savez(file, **columns)  # type: ignore[arg-type]
