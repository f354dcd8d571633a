"""What recurs in files that are in no catalog: they are put into a temporary one, and each is asked of the others."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import earmark
from earmark.arguments import items_of, path_of
from earmark.errors import OptionError
from earmark.types import Repeat

SHORTEST_SECONDS = 2.0  # shorter ones are words and beats


@dataclass(frozen=True, slots=True)
class RepeatReport:
    """What recurs in files, that of most places first, and the files that could not be used."""

    items: tuple[Repeat, ...]
    failed: tuple[tuple[str, str], ...]  # (path, reason)


def repeats(
    files: Iterable[str | os.PathLike[str]],
    *,
    shortest: float = SHORTEST_SECONDS,
    progress: Callable[[str, int, int], object] | None = None,
) -> RepeatReport:
    """Say what recurs for `shortest` seconds in and across files, with its places.

    `progress` is called with (stage, files done, files in all). Files that cannot be read are passed over, and so is
    one whose content is that of another. Raises OptionError when no file is given, or a folder.
    """
    paths = [path_of(path) for path in items_of(files, "the files to look through")]
    if not paths:
        raise OptionError("files=[]: give the files to look through")
    for path in paths:
        if Path(path).is_dir():
            raise OptionError(f"{path} is a folder: give the files in it")

    def read(done: int, total: int) -> None:
        if progress is not None:
            progress("reading", done, total)

    def compared(done: int, total: int) -> None:
        if progress is not None:
            progress("comparing", done, total)

    with (
        tempfile.TemporaryDirectory(prefix="earmark-") as folder,
        earmark.open(Path(folder) / "files") as catalog,
    ):
        report = catalog.add(paths, progress=lambda one: read(one.done, one.total))
        if report.interrupted:
            raise KeyboardInterrupt
        same = [(path, "its content is that of another file") for path in report.unchanged]
        found = catalog.repeats(shortest=shortest, progress=compared)
    return RepeatReport(tuple(found), (*report.failed, *same))
