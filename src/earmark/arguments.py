"""Arguments of the public API, refused with an OptionError where they are of no use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from earmark.errors import OptionError


def path_of(value: Any) -> str:
    """Return a path as text; raises OptionError for what is none."""
    if isinstance(value, str | bytes | os.PathLike) and os.fspath(value):
        return os.fsdecode(value)
    raise OptionError(f"{value!r} is no path; give a str or a pathlib.Path")


def made_folder(path: Path) -> Path:
    """Return a folder, made where it is absent; raises OptionError where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise OptionError(f"{path}: {why_not_made(error)}; name a folder that can be made") from error
    return path


def why_not_made(error: OSError | ValueError) -> str:
    """Return why a folder could not be made."""
    if isinstance(error, FileExistsError):
        return "it is a file"
    if isinstance(error, NotADirectoryError):
        return "a part of it is a file"
    return str(getattr(error, "strerror", None) or error)


def text_of(value: Any, what: str) -> str:
    """Return text; raises OptionError for what is none."""
    if isinstance(value, str):
        return value
    raise OptionError(f"{what} {value!r} is no text; give a str")


def texts_of(values: Any, what: str) -> Sequence[str]:
    """Return one text or several as a sequence; raises OptionError for what is neither."""
    if isinstance(values, str):
        return [values]
    if isinstance(values, Iterable) and not isinstance(values, bytes):
        return [text_of(value, what) for value in values]
    raise OptionError(f"{what} {values!r}; give a str, or several")


def items_of(values: Any, what: str) -> Iterable[Any]:
    """Return what can be iterated; raises OptionError for what cannot, and for one text."""
    if isinstance(values, Iterable) and not isinstance(values, str | bytes):
        return values
    raise OptionError(f"{values!r} is no list; give {what}")


def seconds_of(value: Any, what: str) -> float:
    """Return a number of seconds above 0; raises OptionError for anything else."""
    if isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < math.inf:
        return float(value)
    raise OptionError(f"{what}={value!r}; give a number of seconds above 0")


def check_callable(value: Any, what: str) -> None:
    """Raise OptionError for what cannot be called; None stands for nothing."""
    if value is not None and not callable(value):
        raise OptionError(f"{what}={value!r}; give a function, or leave it out")
