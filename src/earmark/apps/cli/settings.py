"""Options for the settings of fingerprinters, which the fingerprinters name."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from earmark.fingerprints import SETTINGS, shown

MODEL_SUFFIX = ".onnx"


def add_settings(parser: argparse._ActionsContainer) -> None:
    """Add an option for each setting."""
    for setting in {one.flag: one for one in SETTINGS}.values():
        makers = " and ".join(shown(one.fingerprinter) for one in SETTINGS if one.flag == setting.flag)
        kind: dict[str, Any] = {"dest": setting.name, "help": f"of {makers}: {setting.help}"}
        action = "store_false" if setting.flag.startswith("--no-") else "store_true"
        kind |= {"action": action, "default": None} if setting.is_switch else {"metavar": setting.name.upper()}
        parser.add_argument(setting.flag, **kind)


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of a fingerprinter that were given; a model's file by its whole path, as it is kept."""
    given = {name: getattr(options, name) for name in dict.fromkeys(one.name for one in SETTINGS)}
    if options.model and Path(options.model).suffix == MODEL_SUFFIX:
        given["model"] = str(Path(options.model).resolve())
    return {name: value for name, value in given.items() if value is not None}
