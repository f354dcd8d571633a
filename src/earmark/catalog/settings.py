"""What a catalog is made with."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import msgspec

from earmark.errors import CatalogDamaged, CatalogError


class Settings(msgspec.Struct, frozen=True):
    """What a catalog was made with; all but the index is fixed for good."""

    fingerprinter: str
    preset: dict[str, Any]
    spec: str
    index: str


def check_model(folder: Path, model: object) -> None:
    """Raise CatalogError for a model that only a catalog in `folder` names, where a stranger may have put it.

    It has to be one that comes with earmark, or a regular file by its whole path: outside the catalog, and of this
    user or root, whom alone it lets write.
    """
    if not isinstance(model, str):
        raise CatalogDamaged(f"{folder} names the model {model!r}, which is no path; restore a copy of the catalog")
    path = Path(model)
    if path.name == model:  # one that comes with earmark, by its name
        return
    problem = ""
    try:
        status = path.stat()
        mine = status.st_uid in (os.geteuid(), 0) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    except (OSError, ValueError):
        return  # which is said by whoever opens it
    if not stat.S_ISREG(status.st_mode):
        problem = "is no regular file"
    elif not path.is_absolute() or path.resolve().is_relative_to(folder.resolve()):
        problem = "came with it"
    elif not mine:
        problem = "can be written by others"
    if problem:
        raise CatalogError(
            f"{folder} was made with the model {model}, which {problem}; if you trust it, name it: earmark.open(..., "
            "model=...)"
        )
