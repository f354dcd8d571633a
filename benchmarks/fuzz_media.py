"""Damaged files of every format in the sandbox: crashes, hangs, foreign exceptions.

    python -m benchmarks.fuzz_media [--files 1000] [--formats wav,mp3] [--seed 0]

Each file has 5 s of sound with 1 to 64 bytes changed, half of them in the first kilobyte only; 30 % are also cut. Bars:
no crash, no hang (10 s of processor time, or a standstill), no exception but MediaError. "slowest" is by the clock.
"""

from __future__ import annotations

import argparse
import collections
import io
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, BinaryIO

import soundfile
from tests.audio.encoding import encode_as, music
from tests.audio.mutating import mutated

from earmark.errors import MediaError
from earmark.extract.task import extract, warm_up
from earmark.sandbox.process import Sandbox

FORMATS = ("wav", "aiff", "flac", "mp3", "ogg", "opus", "m4a", "aac", "wma", "webm", "mka", "ts")
COLUMNS = ("whole", "in part", "refused", "crashes", "hangs", "foreign")
SETTINGS = {"fingerprinter": "shazam", "preset": {}}
REQUEST = {**SETTINGS, "query": False, "max_seconds": None}

__all__ = ["attempt", "warm_up"]  # which the child looks for


def attempt(file: BinaryIO, request: dict[str, Any], heard: Callable[[float], None]) -> dict[str, Any]:
    """Extract in the child, and tell exceptions that nobody foresaw from a file that is refused."""
    try:
        return {"complete": extract(file, request, heard)["complete"]}
    except MediaError:
        raise
    except Exception as error:
        return {"foreign": f"{type(error).__name__}: {error}"}


def whole_file(name: str) -> bytes:
    """Return 5 s of sound as a file; Ogg by libvorbis, as FFmpeg's own encoder writes one page for all."""
    if name != "ogg":
        return encode_as(name, music(5.0))
    spool = io.BytesIO()
    soundfile.write(spool, music(5.0), 44_100, format="OGG")
    return spool.getvalue()


def outcome(sandbox: Sandbox, content: bytes) -> tuple[str, str]:
    """Return (one of `COLUMNS`, what there is to say of it)."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        file.seek(0)
        try:
            answer = sandbox.call(file, REQUEST)
        except MediaError as error:
            kind = {"decoder_crashed": "crashes", "timeout": "hangs"}.get(error.code, "refused")
            return kind, error.code if kind == "refused" else error.detail
    if "foreign" in answer:
        return "foreign", answer["foreign"]
    return ("whole" if answer["complete"] else "in part"), ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000, help="of each format")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{'':8}" + "".join(f"{name:>9}" for name in COLUMNS) + f"{'slowest':>10}  why refused")
    failures: list[str] = []
    with Sandbox("benchmarks.fuzz_media:attempt", settings=SETTINGS) as sandbox:
        sandbox.start()
        for name in options.formats.split(","):
            content = whole_file(name)
            counts: collections.Counter[str] = collections.Counter()
            reasons: collections.Counter[str] = collections.Counter()
            slowest = 0.0
            for number in range(options.seed, options.seed + options.files):
                began = time.perf_counter()
                kind, detail = outcome(sandbox, mutated(content, number))
                took = time.perf_counter() - began
                slowest = max(slowest, took)
                counts[kind] += 1
                if kind == "refused":
                    reasons[detail] += 1
                elif kind in ("crashes", "hangs", "foreign"):
                    failures.append(f"{name}, seed {number}: {kind}: {detail} ({took:.1f} s)")
            row = "".join(f"{counts[kind]:9}" for kind in COLUMNS)
            print(f"{name:8}{row}{slowest:8.2f} s  {dict(reasons)}", flush=True)
    print("\n".join(failures) or "no crash, no hang, no foreign exception")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
