"""What a file is, found by decoding all of it in a child process: files say wrong things about themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from earmark.audio.container import open_regular
from earmark.sandbox.process import Sandbox

RATE = 8_000  # Hz: enough to count seconds, and quick


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found in a file."""

    seconds: float  # that could be decoded
    complete: bool  # False: it broke off, or parts are damaged
    title: str
    artist: str


class Prober:
    """Probes files, one after the other, in one child; to be used in `with`."""

    def __init__(self) -> None:
        self._sandbox = Sandbox(f"{__name__}:probe")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.close()

    def __call__(self, path: Path) -> Probe:
        """Return what a file is; raises MediaError when it cannot be decoded."""
        with open_regular(path) as file:
            return Probe(**self._sandbox.call(file, {}))


def probe(file: BinaryIO, request: dict[str, Any], report_seconds: Callable[[float], None]) -> dict[str, Any]:
    """Decode a file to its end; runs in the child."""
    from earmark.audio.decode import decode

    with decode(file, rate=RATE, report_seconds=report_seconds) as audio:
        for _ in audio:
            pass
        report = audio.report
    names = {name: report.tags.get(name, "") for name in ("title", "artist")}
    return {"seconds": report.seconds, "complete": report.complete, **names}
