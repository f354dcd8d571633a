"""Which calibration a catalog's confidences come from: its own, else one that ships."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from earmark.errors import CatalogDamaged
from earmark.fingerprints.protocol import Fingerprinter
from earmark.match.calibration import Calibration, choose
from earmark.regular import read_regular
from earmark.schema import prepared

OWN_FILE = "calibration.json"  # name of the file that `earmark calibrate` writes into a catalog's folder
MOST_BYTES = 1 << 20  # bytes of a calibration; ours have 20 kB
SHIPPED = Path(__file__).parents[1] / "fingerprints" / "calibrations"


def calibration_for(fingerprinter: Fingerprinter, index: str, *, folder: Path) -> tuple[Calibration, bool]:
    """Return the calibration for a catalog in a folder, and whether it was fitted for such a one."""
    own = folder / OWN_FILE
    known = [*([read_calibration(own)] if os.path.lexists(own) else []), *shipped()]
    plan = fingerprinter.plan
    return choose(known, spec=str(fingerprinter.spec), plan=plan.digest, index=index, any_speed=plan.warp is not None)


def trust_figures(fingerprinter: Fingerprinter, index: str, *, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Return what is known of the confidences of a catalog in a folder, and what is wrong with its calibration.

    `expected_false_rates` are those of `Answer.expected_false_rate` at the default threshold, by the length of a clip
    in seconds.
    """
    figures: dict[str, Any] = {"calibrated": False, "threshold": None, "expected_false_rates": {}}
    try:
        calibration, is_fitted = calibration_for(fingerprinter, index, folder=folder)
    except CatalogDamaged as error:
        return figures, [str(error)]
    rates = calibration.false_rates if is_fitted else None
    lengths = rates.seconds if rates is not None else ()
    known = {f"{one:g}": calibration.expected_false_rate(one, calibration.threshold) for one in lengths}
    figures |= {"calibrated": is_fitted, "threshold": calibration.threshold, "expected_false_rates": known}
    return figures, []


def read_calibration(path: Path) -> Calibration:
    """Return the calibration that a file holds; raises CatalogDamaged when it is none."""
    try:
        calibration = msgspec.json.decode(read_regular(path, most_bytes=MOST_BYTES), type=prepared(Calibration))
        calibration.check()
        return calibration
    except (
        OSError,
        ValueError,
        TypeError,
        ArithmeticError,
        LookupError,
        RecursionError,
        msgspec.MsgspecError,
    ) as error:
        raise CatalogDamaged(
            f"{path} is no calibration ({error}); remove it, or run `earmark calibrate` again"
        ) from error


@cache
def shipped() -> tuple[Calibration, ...]:
    """Return the calibrations of this release, a default's before those of presets: of equally near ones it counts."""
    paths = sorted(SHIPPED.glob("*.json"), key=lambda path: (len(path.stem), path))
    return tuple(map(read_calibration, paths))
