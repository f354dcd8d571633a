#!/usr/bin/env python3
"""Make a folder of talk, for `earmark evaluate --scenes`: voices of espeak-ng that read a Debian system's licences.

    python benchmarks/speech.py SPEECH [--recordings 12] [--minutes 10]

Every recording has another text, voice and pace; 16 kHz, mono, 16 bit. Needs `espeak-ng` (apt-get install espeak-ng).
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE = 16_000  # Hz
TEXTS = Path("/usr/share/common-licenses")
LICENCES = (
    "GPL-3", "Artistic", "Apache-2.0", "GFDL-1.3", "LGPL-2.1", "MPL-2.0", "GPL-2", "LGPL-3", "CC0-1.0", "MPL-1.1",
    "GPL-1", "GFDL-1.2", "LGPL-2",
)  # fmt: skip
VOICES = ("en-us", "en-gb+f3", "en-gb-scotland+m3", "en-029+f2", "en-us+m7", "en-gb-x-rp+f5")
WORDS_A_PART = 400  # about two minutes
WORDS_APART = 37  # words by which the text of a recording begins later than that of the one before


def words_of(number: int) -> list[str]:
    """Return the text of a recording, from a place of its own on."""
    licence = TEXTS / LICENCES[number % len(LICENCES)]
    words = [word for word in licence.read_text("utf-8", "replace").split() if word.isascii()]
    start = (WORDS_APART * number) % len(words)
    return words[start:] + words[:start]


def spoken(words: list[str], number: int) -> NDArray[np.float32]:
    """Return words in the voice of a recording, (n,) at RATE."""
    voice, pace = VOICES[number % len(VOICES)], 140 + 7 * (number % 7)
    command = ["espeak-ng", "-v", voice, "-s", str(pace), "--stdout"]
    done = subprocess.run(command, input=" ".join(words).encode(), check=True, capture_output=True)
    samples, rate = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
    return np.asarray(soxr.resample(samples, rate, RATE), np.float32)


def recording(number: int, seconds: float) -> NDArray[np.float32]:
    """Return so many seconds of one voice; a text that is too short is read again."""
    words, parts, total, first = words_of(number), [], 0, 0
    while total < seconds * RATE:
        parts.append(spoken(words[first : first + WORDS_A_PART], number))
        total += len(parts[-1])
        first = first + WORDS_A_PART if first + WORDS_A_PART < len(words) else 0
    return np.concatenate(parts)[: round(seconds * RATE)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recordings", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=10)
    args = parser.parse_args()
    if shutil.which("espeak-ng") is None:
        sys.exit("espeak-ng is not installed; apt-get install espeak-ng")
    args.folder.mkdir(parents=True, exist_ok=True)
    for number in range(args.recordings):
        path = args.folder / f"{number:02d}.wav"
        if not path.exists():
            soundfile.write(path, recording(number, 60 * args.minutes), RATE, subtype="PCM_16")


if __name__ == "__main__":
    main()
