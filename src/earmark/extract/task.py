"""What a sandbox's child does with a file: decode it, extract its fingerprint, and pack that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from earmark.audio.decode import decode, load_decoders
from earmark.extract.fingerprinter import make_fingerprinter
from earmark.extract.parts import FirstLook, fingerprint_of_query, fingerprints_of_parts
from earmark.extract.protocol import SILENCE_PEAK


def warm_up(settings: dict[str, Any]) -> None:
    """Load all that extracting needs by doing it once: later, nothing can be opened. `extract` names the settings."""
    load_decoders()
    fingerprinter = make_fingerprinter(settings["fingerprinter"], settings["preset"])
    chirp = np.sin(np.arange(2 * fingerprinter.rate, dtype=np.float32) ** 2 * 1e-4)  # two seconds of every frequency
    for query in (False, True):
        fingerprinter.pack(fingerprinter.extract(chirp, query=query))


def extract(file: BinaryIO, request: dict[str, Any], report_seconds: Callable[[float], None]) -> dict[str, Any]:
    """Return the packed fingerprint of a file with what else is known of it.

    A request holds `fingerprinter` (its name), `preset` (its settings), `query`, `max_seconds` or none, and where they
    are known `stream` and the `suffix` of the file's name; of a query also `close_seconds` or none and
    `glance_seconds`, or `spans`, of which the answer holds the packed fingerprints as `parts` alone, and maybe
    the `sound` of the file, which then is not read.
    """
    fingerprinter = make_fingerprinter(request["fingerprinter"], request["preset"])
    if request.get("sound") is not None:
        sound = np.frombuffer(request["sound"], "<f4").astype(np.float32)
        parts = fingerprints_of_parts([sound], fingerprinter, request["spans"])
        return {"parts": [fingerprinter.pack(part) for part in parts]}
    limit = request["max_seconds"]
    with decode(
        file,
        rate=fingerprinter.rate,
        max_seconds=limit,
        stream=request.get("stream"),
        suffix=request.get("suffix", ""),
        report_seconds=report_seconds,
    ) as audio:
        if request.get("spans") is not None:
            return {
                "parts": list(map(fingerprinter.pack, fingerprints_of_parts(audio, fingerprinter, request["spans"])))
            }
        if request["query"]:
            lengths = {name: request[name] for name in ("close_seconds", "glance_seconds") if name in request}
            look = fingerprint_of_query(audio, fingerprinter, **{"close_seconds": None, **lengths})
        else:
            look = FirstLook(fingerprinter.extract(audio), is_close=False)
        report = audio.report
    return {
        "packed": fingerprinter.pack(look.fingerprint),
        "close": look.is_close,
        "sound": b"" if look.sound is None else look.sound.astype("<f4").tobytes(),
        "seconds": float(report.seconds),
        "complete": bool(report.complete),
        "silent": bool(report.peak < SILENCE_PEAK),
        "tags": dict(report.tags),
        "chapters": [(chapter.start, chapter.title) for chapter in report.chapters],
    }
