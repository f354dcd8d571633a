"""Sounds with their landmarks, and the hits of a clip in a recording: the contents of pictures.

Landmarks are drawn of fingerprints that cannot be seen as well: nothing can be seen in a learned vector.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from earmark.apps.plot import figures
from earmark.apps.plot.figures import Diagonal, Sound
from earmark.apps.text import clock
from earmark.audio.arrays import to_mono
from earmark.audio.container import open_regular
from earmark.audio.decode import decode, load_decoders
from earmark.errors import MediaError
from earmark.fingerprints import VISIBLE, make
from earmark.fingerprints.protocol import Fingerprinter
from earmark.sandbox.process import Sandbox
from earmark.text import printable
from earmark.types import Fingerprint, Match, Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Seconds = NDArray[np.float64]
RATE = make(VISIBLE).rate  # Hz of the sounds that are drawn
LONGEST_SECONDS = 3_600.0  # longest sound that is drawn; an hour already puts 30 seconds on a millimetre
NEAR_SECONDS = 0.05  # largest distance of a hit on the diagonal: noise moves a peak by three frames


def draw_sound(path: str | Path, maker: Fingerprinter) -> Figure:
    """Return the picture of a file; raises MediaError."""
    return figures.draw_sound(load_sound(path))


def draw_match(path: str | Path, match: Match, maker: Fingerprinter) -> Figure:
    """Return the picture of a clip and the recording it was found in; raises MediaError."""
    return figures.draw_match(*match_view(decoded(path), RATE, match, name=Path(path).name))


def load_sound(path: str | Path) -> Sound:
    """Return a file's sound with its landmarks; raises MediaError."""
    samples, maker = decoded(path), make(VISIBLE)
    return with_peaks(Path(path).name, samples, maker, maker.extract(samples))


def match_view(samples: Samples, rate: int, match: Match, *, name: str) -> tuple[Sound, Sound, Diagonal]:
    """Return a clip, the recording it was found in, and all their hits.

    Raises MediaError when the recording's file cannot be read.
    """
    clip = to_mono(samples, rate, to_rate=RATE)
    recording, maker = decoded(match.track.path), make(VISIBLE)
    asked, known = maker.extract(clip, query=True), maker.extract(recording)
    times, places = hits(maker, asked, known)
    start = match.reference_at(0.0)
    on_line = np.abs(places - start - times * match.rate) <= NEAR_SECONDS
    caption = f"{clock(match.query_start)} of the clip is {clock(match.reference_start)} of the recording"
    caption += f"\nconfidence {match.confidence:.3f}"
    track = match.track
    title = " - ".join(part for part in (track.artist, track.title or Path(track.path).name) if part)
    return (
        with_peaks(name, clip, maker, asked),
        with_peaks(title, recording, maker, known),
        Diagonal(times, places, on_line, start, match.rate, caption, (match.query_start, match.query_end)),
    )


def decoded(path: str | Path, *, rate: int = RATE) -> Samples:
    """Return the whole of a file as mono samples, read in a child process; raises MediaError."""
    with open_regular(path) as file, Sandbox("earmark.apps.plot.sounds:read_samples") as sandbox:
        try:
            answer = sandbox.call(file, {"rate": rate})
        except MediaError as error:
            error.source = printable(path)
            raise
    return np.frombuffer(answer["samples"], np.float32)


def warm_up(settings: dict[str, Any]) -> None:
    """Load what decoding needs; runs in the child."""
    load_decoders()


def read_samples(file: BinaryIO, request: dict[str, Any], report_seconds: Callable[[float], None]) -> dict[str, Any]:
    """Return all samples of a file; runs in the child."""
    rate = int(request["rate"])
    with decode(file, rate=rate, max_seconds=LONGEST_SECONDS, report_seconds=report_seconds) as audio:
        return {"samples": b"".join(block.tobytes() for block in audio)}


def with_peaks(name: str, samples: Samples, maker: Fingerprinter, fingerprint: Fingerprint) -> Sound:
    """Return samples with the places of their landmarks."""
    peaks = fingerprint.layers["peaks"]
    seconds = peaks.frames.astype(np.float64) * peaks.frame_seconds
    return Sound(name, samples, maker.rate, seconds, peaks.values * maker.hertz_per_bin)


def hits(maker: Fingerprinter, query: Fingerprint, reference: Fingerprint) -> tuple[Seconds, Seconds]:
    """Return where keys of a clip stand in a recording: (seconds in the clip, seconds in the recording), each (h,)."""
    asked, known = maker.keys(query, query=True)["landmarks"], maker.keys(reference)["landmarks"]
    frame_seconds = maker.plan.channels[0].frame_seconds
    order = np.argsort(known.values, kind="stable")
    first = np.searchsorted(known.values[order], asked.values, side="left")
    counts = np.searchsorted(known.values[order], asked.values, side="right") - first
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    found = order[np.repeat(first, counts) + within]
    times = np.repeat(asked.frames, counts).astype(np.float64) * frame_seconds
    return times, known.frames[found].astype(np.float64) * frame_seconds
