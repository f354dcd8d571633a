"""Manifests: the recordings of a data set as CSV, each in a group whose members resemble one another."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from earmark.atomic import written_beside
from earmark.errors import OptionError

READ_BYTES = 1 << 20  # bytes that are hashed at once


@dataclass(frozen=True, slots=True)
class Item:
    """One recording of a data set."""

    track_id: str
    path: Path
    seconds: float
    group: str  # package, artist or folder: never on both sides of a split
    title: str
    artist: str
    sha256: str


_COLUMNS = {"group": "package"}  # columns whose name in the file is another


def write_manifest(path: Path, items: Iterable[Item]) -> None:
    """Write items as CSV, paths relative to the manifest; a reader sees the old file or the new one."""
    names = [_COLUMNS.get(field.name, field.name) for field in fields(Item)]
    with written_beside(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for one in items:
            values = asdict(one) | {"path": one.path.relative_to(path.parent), "seconds": f"{one.seconds:.2f}"}
            writer.writerow(values.values())


def read_manifest(path: Path) -> tuple[Item, ...]:
    """Return the items of a manifest; raises OptionError when it is no manifest."""
    names = [field.name for field in fields(Item)]
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        absent = {_COLUMNS.get(name, name) for name in names} - set(rows.fieldnames or ())
        if absent:
            raise OptionError(f"{path} has no column {', '.join(sorted(absent))}; give the manifest of a data set")
        return tuple(_item(row, path.parent, names) for row in rows)


def split(items: Sequence[Item], *, share: float, seed: int = 0) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Return (rest, part): whole groups, in a random order, until `part` has at least `share` of all seconds.

    A group's rank depends on its name and `seed` alone, so a new group does not change the order of the others.
    """
    if not 0 <= share <= 1:
        raise OptionError(f"share={share}; give 0 to 1")
    groups: dict[str, float] = defaultdict(float)
    for one in items:
        groups[one.group] += one.seconds
    wanted, held, chosen = share * sum(groups.values()), 0.0, set()
    for group in sorted(groups, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest()):
        if held >= wanted:
            break
        chosen.add(group)
        held += groups[group]
    return (
        tuple(one for one in items if one.group not in chosen),
        tuple(one for one in items if one.group in chosen),
    )


def duplicates(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    """Yield the items whose files have equal bytes, two or more at a time."""
    alike: dict[str, list[Item]] = defaultdict(list)
    for one in items:
        alike[one.sha256].append(one)
    return (tuple(found) for found in alike.values() if len(found) > 1)


def digest_of(path: Path, kind: str = "sha256") -> str:
    """Return a file's checksum in hexadecimal."""
    digest = hashlib.new(kind)
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _item(row: dict[str, str], folder: Path, names: Sequence[str]) -> Item:
    values = {name: row[_COLUMNS.get(name, name)] for name in names}
    return Item(**{**values, "path": folder / values["path"], "seconds": float(values["seconds"])})  # type: ignore[arg-type]
