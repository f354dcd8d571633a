"""Tables of clips and of references, as CSV: from spreadsheets too, which begin a file with a byte order mark."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from earmark.errors import OptionError


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a table that has these columns; a cell that a row does not have is empty.

    Raises OptionError for a file that cannot be read, is no text, lacks a column or has no rows.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle, restval="")
            found = reader.fieldnames or ()
            rows = list(reader)
    except OSError as error:
        raise OptionError(f"{path}: {error.strerror}; give a folder with its table") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"{path} is no table in UTF-8 ({error}); see docs/evaluation.md") from error
    absent = [name for name in columns if name not in found]
    if absent:
        raise OptionError(
            f"{path} has no column {', '.join(absent)}; its first line names them, with commas between: "
            f"{','.join(columns)}"
        )
    if not rows:
        raise OptionError(f"{path} has no rows; give one for each recording or clip")
    return rows
