"""Fifty sounds that are no music (tones, beeps, clicks, a few samples) as recordings, and fifty others as clips.

    python -m benchmarks.not_music [--fingerprinter neural]

Bars (M21): none of the first becomes a track, none of the 50 x 50 pairs matches.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import soundfile
from tests.audio.not_music import RATE, sounds

import earmark
from earmark.fingerprints import DEFAULT

RECORDING_SECONDS, CLIP_SECONDS = 20.0, 7.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fingerprinter", default=DEFAULT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recordings = write(folder / "recordings", RECORDING_SECONDS, seed=1)
        clips = write(folder / "clips", CLIP_SECONDS, seed=2)
        with earmark.open(folder / "catalog", fingerprinter=parser.parse_args().fingerprinter) as catalog:
            report = catalog.add(recordings)
            answers = list(catalog.identify_many(clips))
    matched = [(answer.source, [one.track.title for one in answer.matches]) for answer in answers if answer.matches]
    print(f"{len(report.added)} of {len(recordings)} became tracks: {sorted(track.title for track in report.added)}")
    print(f"{len(matched)} of {len(clips)} clips matched: {matched}")
    print(f"reasons: {dict(Counter(answer.reason for answer in answers))}")
    sys.exit(1 if report.added or matched else 0)


def write(folder: Path, seconds: float, *, seed: int) -> list[Path]:
    folder.mkdir()
    for name, sound in sounds(seconds, seed).items():
        soundfile.write(folder / f"{name}.wav", sound, RATE)
    return sorted(folder.iterdir())


if __name__ == "__main__":
    main()
