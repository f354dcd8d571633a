"""The stranger's package, installed as far as Python is concerned: entry points on the import path."""

from __future__ import annotations

from pathlib import Path

import pytest

ENTRY_POINTS = """\
[earmark.fingerprinters]
bits = tests.strangers.bits:Bits

[earmark.comparisons]
signs = tests.strangers.bit_comparison:BITS
"""


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Register `bits`, for this process and for the children that decode."""
    folder = tmp_path / "site" / "strangers-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # where `tests` is imported from, in children too
