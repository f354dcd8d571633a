"""What a catalog is made with, and which index suits what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from earmark.errors import OptionError


class Settings(msgspec.Struct, frozen=True):
    """What a catalog was made with; all but the index is fixed for good."""

    fingerprinter: str
    preset: dict[str, Any]
    spec: str
    index: str


def index_name(wanted: str | None, fingerprinter: str, preset: Mapping[str, Any]) -> str:
    """Return `wanted`, or where it is None the name of the index that suits the fingerprinter.

    Raises OptionError for an index that there is not, or that holds other keys than the fingerprinter makes.
    """
    from earmark.extract.fingerprinter import make_fingerprinter
    from earmark.index import CODE_NAMES, EVERY_CHANNEL, NAMES, VECTOR_NAMES

    channels = make_fingerprinter(fingerprinter, preset).plan.channels
    by_metric = {"equal": CODE_NAMES, "inner": VECTOR_NAMES}
    suited = EVERY_CHANNEL if len(channels) > 1 else by_metric[channels[0].metric][0]
    if wanted is None or wanted == suited:
        return suited
    if wanted not in NAMES:
        raise OptionError(f"index {wanted!r} is not known: choose one of {', '.join(NAMES)}")
    names = by_metric[channels[0].metric]
    if wanted == EVERY_CHANNEL and names is VECTOR_NAMES:
        raise OptionError(f"index {wanted!r} holds landmarks too, and without peaks there are none: use {suited}")
    if wanted not in names:
        names = (suited, *(name for name in names if name != suited))
        raise OptionError(f"index {wanted!r} cannot hold what {fingerprinter} makes: choose one of {', '.join(names)}")
    return wanted
