"""What earmark answers to the clips of `clips.py`, as values that JSON holds. Run as a program it writes them:

python -m tests.frozen.freeze
"""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import earmark
from tests.frozen.clips import clips, known_paths

ROOT = Path(__file__).parents[2]
MUSIC = ROOT / "src" / "earmark" / "apps" / "demo" / "music"
ANSWERS = Path(__file__).parent / "answers"
LIMIT = 2  # matches of each answer, whatever their confidence
DIGITS = 9  # of a number
CATALOGS: dict[str, dict[str, Any]] = {
    "neural": {},
    "neural-without-peaks": {"peaks": False},
    "shazam": {"fingerprinter": "shazam"},
    "shazam-lean": {"fingerprinter": "shazam", "density": "lean"},
}
MATCH = (
    "confidence",
    "query_start",
    "query_end",
    "reference_start",
    "reference_end",
    "position_error",
    "speed",
    "pitch",
)
LIBRARIES = ("numpy", "scipy", "soxr", "soundfile", "onnxruntime", "faiss-cpu", "av")


def answers(settings: Mapping[str, Any], which: slice = slice(None)) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name of a clip, what a catalog with these settings answers), each clip or some of them once."""
    music = sorted(MUSIC.glob("*.opus"))
    with tempfile.TemporaryDirectory() as folder, earmark.open(Path(folder) / "frozen.earmark", **settings) as catalog:
        report = catalog.add(known_paths(music))
        assert len(report.added) == len(known_paths(music)), report.failed
        for clip in list(clips(music))[which]:
            yield (
                clip.name,
                _record(catalog.identify(clip.source, threshold=0.0, limit=LIMIT, closely=True, **clip.options)),
            )


def _record(answer: earmark.Answer) -> dict[str, Any]:
    matches = [
        {
            "track": Path(match.track.path).stem,
            **{name: _short(getattr(match, name)) for name in MATCH},
            "evidence": {name: _short(value) for name, value in match.evidence.items()},
        }
        for match in answer.matches
    ]
    return {"reason": answer.reason, "seconds": _short(answer.seconds), "matches": matches}


def environment() -> dict[str, str]:
    """Return what the last digits of an answer depend on besides our code."""
    return {name: version(name) for name in LIBRARIES} | {"machine": platform.machine(), "cpu": _cpu()}


def _cpu() -> str:
    """Return the vector instructions that linear algebra chooses its order of sums by."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[1].split("\n", 1)[0].split()
    except (OSError, IndexError):
        return ""
    return " ".join(flag for flag in ("avx2", "fma", "avx512f", "avx512_vnni", "amx_tile") if flag in flags)


def _short(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.{DIGITS}g}")


def main() -> None:
    """Write the answers of today."""
    for name, settings in CATALOGS.items():
        lines = [f"{json.dumps(clip)}: {json.dumps(answer)}" for clip, answer in answers(settings)]
        text = ",\n".join([f'"environment": {json.dumps(environment())}', *lines])
        (ANSWERS / f"{name}.json").write_text("{" + text + "}\n")


if __name__ == "__main__":
    main()
