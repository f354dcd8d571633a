"""Fetch data sets: `python -m earmark.datasets debian FOLDER`, `... fma FOLDER`, `... rooms FILE`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from earmark.errors import EarmarkError


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch one data set and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m earmark.datasets", description="Fetch what to learn from.")
    sets = parser.add_subparsers(dest="data_set", required=True)
    debian = sets.add_parser("debian", help="freely licensed music, noise and speech from Debian's packages: 3 GB")
    debian.add_argument("folder", type=Path)
    debian.add_argument("--packages", type=Path, help="where packages are kept (default: FOLDER/packages)")
    fma = sets.add_parser("fma", help="the Free Music Archive's data set: 7 to 879 GB")
    fma.add_argument("folder", type=Path)
    fma.add_argument("--subset", default="small", choices=("small", "medium", "large", "full"))
    fma.add_argument("--examine", action="store_true", help="download nothing; say what is there, broken or a copy")
    rooms = sets.add_parser("rooms", help="responses of rooms, computed from their walls")
    rooms.add_argument("file", type=Path, help="ends in .npz")
    rooms.add_argument("--count", type=int, default=400)
    rooms.add_argument("--rate", type=int, default=16_000, help="Hz")
    rooms.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        {"debian": _debian, "fma": _fma, "rooms": _rooms}[options.data_set](options)
    except EarmarkError as error:
        print(f"earmark: {error}", file=sys.stderr)
        return 1
    return 0


def _debian(options: argparse.Namespace) -> None:
    from earmark.datasets.debian import fetch

    def tell(kind: str, package: str, files: int) -> None:
        print(f"{kind}: {package}: {files} files", file=sys.stderr)

    for kind, found in fetch(options.folder, packages=options.packages, progress=tell).items():
        print(f"{kind}: {len(found)} files, {sum(one.seconds for one in found) / 3600:.2f} h")


def _fma(options: argparse.Namespace) -> None:
    from earmark.datasets.fma import examine, fetch

    if not options.examine:
        fetch(options.folder, options.subset, progress=_tell_bytes)
    found = examine(options.folder, options.subset)
    for path in found.missing:
        print(f"missing: {path}")
    for path, reason in found.broken:
        print(f"broken: {path}: {reason}")
    for group in found.duplicates:
        print("the same: " + ", ".join(map(str, group)))
    print(found.summary())


def _tell_bytes(have: int, total: int | None) -> None:
    if sys.stderr.isatty():
        share = f" of {total / 1e9:.2f} GB" if total else ""
        print(f"\r{have / 1e9:.2f}{share}", end="", file=sys.stderr)


def _rooms(options: argparse.Namespace) -> None:
    from earmark.datasets.rooms import save_rooms, synthesise_rooms

    rooms = list(synthesise_rooms(options.count, rate=options.rate, seed=options.seed))
    save_rooms(options.file, rooms)
    times = sorted(room.t60_seconds for room in rooms)
    print(f"{len(rooms)} rooms, t60 {times[0]:.2f} to {times[-1]:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
