"""CPU seconds of one core for distorting 256 clips of one second at 8 kHz.

    OPENBLAS_NUM_THREADS=1 python benchmarks/augmentation_speed.py [--rate 8000] [--clips 256] [--repeats 20]

Each clip is drawn and distorted with 200 rooms, 50 microphones, curves, noise at 0 to 10 dB and gain. The figure is
the median over the repeats of time.process_time, which includes all threads.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy import fft

from earmark import distort


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=8_000)
    parser.add_argument("--clips", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    rate, clips = options.rate, options.clips
    generator = np.random.default_rng(0)
    rooms = [distort.room_response(t60, rate=rate, generator=generator) for t60 in generator.uniform(0.1, 0.8, 200)]
    microphones = [distort.microphone_response(rate=rate, generator=generator) for _ in range(50)]
    ranges = distort.Ranges(room_share=1.0, microphone_share=1.0)
    channel = distort.Channel(rate=rate, samples=rate, rooms=rooms, microphones=microphones)
    spare = 2 * round(ranges.offset_seconds * rate)
    music = generator.standard_normal((clips, 2 * rate + spare), np.float32)
    noise = generator.standard_normal((clips, rate), np.float32)

    def drawn() -> distort.Draws:
        return distort.draw(ranges, channel, distort.clip_generators(0, range(clips)))

    def transformed() -> None:
        for clip in music:
            fft.rfft(clip[: 2 * rate])

    print(f"{clips} clips of 1 s at {rate} Hz, transforms of {channel.length} and {channel.noise_length}")
    report("all", lambda: distort.distort(music, noise, drawn(), channel), options.repeats)
    report("drawing alone", drawn, options.repeats)
    report("a plain FFT per clip of 2 s", transformed, options.repeats)


def report(name: str, work: Callable[[], object], repeats: int) -> None:
    work()
    costs = []
    for _ in range(repeats):
        before = time.process_time()
        work()
        costs.append(time.process_time() - before)
    print(f"{name:30}{statistics.median(costs):.3f} CPU s")


if __name__ == "__main__":
    main()
