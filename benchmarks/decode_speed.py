"""Seconds of audio that a CPU second decodes, mixes and resamples, on one core.

    python benchmarks/decode_speed.py FOLDER [--files 20] [--quality]

It reads every n-th audio file of the folder at each rate, after FFmpeg's decoding alone. With --quality it also
compares soxr's qualities: their speed, and their difference from the best one between 100 and 5,000 Hz.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import numpy as np
import soxr

from earmark.audio.decode import decode, load
from earmark.audio.downmix import QUALITY

RATES = (8_000, 11_025, 16_000)  # Hz
SUFFIXES = {".ogg", ".opus", ".mp3", ".flac", ".wav", ".m4a"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of decoding.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--quality", action="store_true", help="compare the qualities of resampling too")
    arguments = parser.parse_args()
    found = sorted(path for path in arguments.folder.rglob("*") if path.suffix in SUFFIXES)
    files = found[:: max(len(found) // arguments.files, 1)][: arguments.files]
    if not files:
        parser.error(f"{arguments.folder} holds no audio files")
    print(f"{len(files)} files")
    report("FFmpeg's decoding alone", files, only_decoded)
    for rate in RATES:
        report(f"decoded, mixed and resampled to {rate:,} Hz", files, partial(blocks_of, rate=rate))
    if arguments.quality:
        compare_qualities(files[0])


def report(what: str, files: list[Path], read: Callable[[Path], float]) -> None:
    began = time.process_time()
    seconds = sum(read(path) for path in files)
    used = time.process_time() - began
    print(f"{what}: {seconds:,.0f} s of audio in {used:.2f} s, {seconds / used:,.0f} x real time")


def only_decoded(path: Path) -> float:
    seconds = 0.0
    with av.open(str(path)) as container:
        container.streams.audio[0].codec_context.thread_count = 1
        for frame in container.decode(audio=0):
            seconds += frame.samples / frame.sample_rate
    return seconds


def blocks_of(path: Path, *, rate: int) -> float:
    with decode(path, rate=rate) as audio:
        for _ in audio:
            pass
        return audio.report.seconds


def compare_qualities(path: Path) -> None:
    samples, _ = load(path, rate=44_100)
    best = soxr.resample(samples, 44_100, 11_025, "VHQ")
    for quality in ("HQ", "MQ", "LQ", "QQ"):
        began = time.process_time()
        resampled = soxr.resample(samples, 44_100, 11_025, quality)
        used = time.process_time() - began
        length = min(len(best), len(resampled))
        difference = np.fft.rfft(resampled[:length] - best[:length])
        hertz = np.fft.rfftfreq(length, 1 / 11_025)
        band = (hertz > 100) & (hertz < 5_000)
        part = np.sum(np.abs(difference[band]) ** 2) / np.sum(np.abs(np.fft.rfft(best[:length])[band]) ** 2)
        speed = len(samples) / 44_100 / used
        chosen = " (used)" if quality == QUALITY else ""
        print(f"soxr {quality}{chosen}: {speed:,.0f} x real time, {10 * np.log10(part):.0f} dB from the best")


if __name__ == "__main__":
    main()
