"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
import math
import os
import re
from pathlib import Path

DEFAULT_CATALOG = "music.earmark"
LAST_PORT = 65_535  # largest number of a TCP port


def add_catalog(parser: argparse.ArgumentParser) -> None:
    """Add --catalog."""
    parser.add_argument(
        "--catalog",
        metavar="FOLDER",
        help=f"the catalog (default: $EARMARK_CATALOG, else {DEFAULT_CATALOG} in the current folder)",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add --json, --quiet and --verbose."""
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    volume = parser.add_mutually_exclusive_group()
    volume.add_argument("--quiet", action="store_true", help="print errors only")
    volume.add_argument("--verbose", action="store_true", help="print more")


def add_align(parser: argparse._ActionsContainer) -> None:
    """Add --align."""
    parser.add_argument(
        "--align", choices=("edit", "local"), default="",
        help="lay sequences of segments on each other, by edit distance or local alignment (default: lines of windows)",
    )  # fmt: skip


def add_csv(parser: argparse.ArgumentParser) -> None:
    """Add --csv."""
    parser.add_argument("--csv", dest="as_table", action="store_true", help="print a table for spreadsheets")


def add_longest(parser: argparse.ArgumentParser, seconds: float) -> None:
    """Add --longest, whose default is `seconds`."""
    parser.add_argument(
        "--longest",
        type=duration,
        metavar="SECONDS",
        help=f"refuse longer files unread; a small file may hold days (default: {seconds:.0f}, {seconds / 3600:g} h)",
    )


def add_stream(parser: argparse.ArgumentParser) -> None:
    """Add --stream."""
    parser.add_argument(
        "--stream",
        type=whole_number,
        metavar="N",
        help="audio stream of files that hold several, from 0 (default: the one that players choose)",
    )


def whole_number(text: str) -> int:
    """Return `text` as a whole number of at least 0."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def port(text: str) -> int:
    """Return `text` as the number of a port."""
    if not text.isascii() or not text.isdigit() or int(text) > LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, a whole number from 0 to {LAST_PORT}")
    return int(text)


def output_file(text: str) -> str:
    """Return the path of a file that can be made, so that no work is done for one that cannot."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r} for {path.name!r}; make it first")
    return text


def host_name(text: str) -> str:
    """Return `text` as a host's name, as requests have it: letters beyond ASCII in Punycode."""
    try:
        name = text.encode("idna").decode()
    except UnicodeError:
        name = ""
    if not re.fullmatch(r"[\w-]+(\.[\w-]+)*\.?", name, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a host's name, as music.example.org, without port or path")
    return name.rstrip(".")


def catalog_path(options: argparse.Namespace) -> Path:
    """Return the catalog that the options, the environment or the default name, in this order."""
    return Path(options.catalog or os.environ.get("EARMARK_CATALOG") or DEFAULT_CATALOG)


def probability(text: str) -> float:
    """Return `text` as a number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def duration(text: str) -> float:
    """Return `text` as a number of seconds above 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def count(text: str) -> int:
    """Return `text` as a whole number of at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def assignment(text: str) -> tuple[str, str]:
    """Return 'mood=calm' as ('mood', 'calm')."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.strip(), value


def numbers(text: str) -> tuple[float, ...]:
    """Return '1,2.5' as (1.0, 2.5)."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = (math.nan,)
    if not all(map(math.isfinite, found)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers")
    return found


def ratios(text: str) -> tuple[float | None, ...]:
    """Return 'none,10' as (None, 10.0)."""
    return tuple(None if part.strip() == "none" else numbers(part)[0] for part in text.split(","))


def words(text: str) -> tuple[str, ...]:
    """Return 'mp3,speed+4' as ('mp3', 'speed+4')."""
    return tuple(part.strip() for part in text.split(","))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
