"""Replies of a run that go to a file line by line, so that a run that was interrupted goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from earmark.errors import OptionError

Reply = TypeVar("Reply")


def read_replies(path: Path, parse: Callable[[str], Reply]) -> list[Reply]:
    """Return the replies of an earlier run, none where there was none; raises OptionError for what is no reply.

    A last line that was cut off is taken away from the file.
    """
    if not path.exists():
        return []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    try:
        return [parse(line) for line in whole.splitlines()]
    except (ValueError, KeyError, TypeError) as error:
        raise OptionError(f"{path} cannot be understood: {error}; remove it to begin again") from error
