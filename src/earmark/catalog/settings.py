"""What a catalog is made with."""

from __future__ import annotations

from typing import Any

import msgspec


class Settings(msgspec.Struct, frozen=True):
    """What a catalog was made with; all but the index is fixed for good."""

    fingerprinter: str
    preset: dict[str, Any]
    spec: str
    index: str
