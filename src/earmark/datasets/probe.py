"""Probes: what a file contains, by decoding all of it in a child process, because headers may be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from earmark.audio.container import open_regular
from earmark.sandbox.process import Sandbox

RATE = 8_000  # Hz, low for speed: only seconds are counted


@dataclass(frozen=True, slots=True)
class Probe:
    """The content of a file."""

    seconds: float  # decoded sound
    title: str
    artist: str


class Prober:
    """A prober of files, one after the other, in one child; a context manager."""

    def __init__(self) -> None:
        self._sandbox = Sandbox(f"{__name__}:probe")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.close()

    def __call__(self, path: Path) -> Probe:
        """Return the content of a file; raises MediaError when it cannot be decoded."""
        with open_regular(path) as file:
            return Probe(**self._sandbox.call(file, {}))


def warm_up(settings: dict[str, Any]) -> None:
    """Load what decoding needs; runs in the child."""
    from earmark.audio.decode import load_decoders

    load_decoders()


def probe(file: BinaryIO, request: dict[str, Any], report_seconds: Callable[[float], None]) -> dict[str, Any]:
    """Return the fields of a `Probe`; runs in the child."""
    from earmark.audio.decode import decode

    with decode(file, rate=RATE, report_seconds=report_seconds) as audio:
        for _ in audio:
            pass
        report = audio.report
    names = {name: report.tags.get(name, "") for name in ("title", "artist")}
    return {"seconds": report.seconds, **names}
