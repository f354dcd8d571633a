"""What indexing and asking cost: processor time, and room on the disk; kept as JSON beside what they were spent on."""

from __future__ import annotations

import json
import resource
from collections.abc import Mapping, Sequence
from pathlib import Path

from earmark.atomic import written_beside
from earmark.types import Track

NAME = "cost.json"


class Processor:
    """Processor time of this process and of its children that have ended, from now on."""

    def __init__(self) -> None:
        self._before = _spent()

    @property
    def seconds(self) -> float:
        """Seconds spent since."""
        return _spent() - self._before


def of_index(catalog: Path, tracks: Sequence[Track], processor_seconds: float) -> dict[str, float]:
    """Return what a catalog of these tracks cost."""
    hours = sum(track.seconds for track in tracks) / 3_600
    if not hours:
        return {}
    size = sum(path.stat().st_size for path in catalog.rglob("*") if path.is_file())
    return {
        "index_real_time_a_core": hours * 3_600 / processor_seconds,
        "megabytes_an_hour": size / 1e6 / hours,
    }


def beside(catalog: Path) -> Path:
    """Return where the cost of a catalog is kept."""
    return catalog.with_name(f"{catalog.name}-{NAME}")


def write(path: Path, cost: Mapping[str, float]) -> None:
    """Keep a cost."""
    with written_beside(path) as part:
        part.write_text(json.dumps(dict(cost), indent=1) + "\n")


def read(path: Path) -> dict[str, float]:
    """Return a cost, nothing where none was kept."""
    try:
        return {str(name): float(value) for name, value in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}


def _spent() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
