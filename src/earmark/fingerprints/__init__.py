"""Fingerprinters by name: the one place where a kind is registered."""

from __future__ import annotations

from collections import namedtuple

from earmark.errors import OptionError

TYPE_CHECKING = False  # typing's own, without its import, which is a fifth of a bare Python's start

if TYPE_CHECKING:
    from typing import Any

    from earmark.fingerprints.protocol import Fingerprinter

DEFAULT = "neural"
ENTRY_POINTS = "earmark.fingerprinters"  # group in which an installed package may register more
FINGERPRINTERS = {
    "neural": "earmark.fingerprints.neural:Neural",
    "philips": "earmark.fingerprints.philips:Philips",
    "shazam": "earmark.fingerprints.shazam:Shazam",
    "waveprint": "earmark.fingerprints.waveprint:Waveprint",
}
ALIASES = {"landmarks": "shazam"}  # what a kind is called for people, and what catalogs call it
NAMES = tuple(FINGERPRINTERS)
SHOWN = tuple({kind: name for name, kind in ALIASES.items()}.get(name, name) for name in NAMES)
VISIBLE = "shazam"  # the fingerprinter whose features are places in a spectrogram, which a picture can show
DESCRIPTIONS = {
    "neural": "a learned fingerprint: hears through more noise and larger rooms",
    "philips": "bits of a robust hash: exact in time",
    "shazam": "landmarks, pairs of spectral peaks: take less time and less room on the disk",
    "waveprint": "wavelets: find clips of 2 s and more through codecs, filters and noise",
}


# A setting of a fingerprinter, as the command line has it; a switch takes no value, and --no- turns it off.
Setting = namedtuple("Setting", "fingerprinter name flag help is_switch", defaults=(False,))


ANY_SPEED = "let `identify --speed` find clips at any speed and pitch; 1.2 MB more an hour"
COMPACT = "keep a quarter of each vector and a third of the peaks: 0.7 MB an hour; less sure of short clips in noise"
SETTINGS = (
    Setting("neural", "model", "--model", "a network by name, or an .onnx file that `earmark train` wrote"),
    Setting("neural", "peaks", "--no-peaks", "keep vectors alone; smaller, and less sure of its answers", True),
    Setting("neural", "compact", "--compact", COMPACT, True),
    Setting("neural", "any_speed", "--any-speed", ANY_SPEED, True),
    Setting("philips", "variant", "--variant", "the numbers of the method, default or paper"),
    Setting("shazam", "density", "--density", "how many features, default or lean"),
    Setting("shazam", "any_speed", "--any-speed", ANY_SPEED, True),
    Setting("waveprint", "stride", "--stride", "how far apart images are, a quarter or half of their length"),
)


def setting_names(name: str) -> tuple[str, ...]:
    """Return the names of a fingerprinter's settings, as far as earmark has it."""
    kind = ALIASES.get(name, name)
    return tuple(setting.name for setting in SETTINGS if setting.fingerprinter == kind)


def shown(name: str) -> str:
    """Return what people call a kind that catalogs know by `name`."""
    return dict(zip(NAMES, SHOWN, strict=True)).get(name, name)


def make(name: str = DEFAULT, **preset: Any) -> Fingerprinter:
    """Return the fingerprinter called `name`, with settings of its own; raises OptionError for what there is not."""
    from importlib import import_module
    from inspect import signature

    module, _, kind = _target(name).partition(":")
    made = getattr(import_module(module), kind)
    known = list(signature(made).parameters)
    for setting in preset:
        if setting not in known:
            others = " or ".join(shown(one.fingerprinter) for one in SETTINGS if one.name == setting)
            raise OptionError(
                f"{setting} is no setting of {shown(name)}, which has {' and '.join(known) or 'none'}: leave it out, "
                f"or choose {others or 'another fingerprinter'}"
            )
    fingerprinter: Fingerprinter = made(**preset)
    return fingerprinter


def _target(name: str) -> str:
    """Return `module:class` of a fingerprinter, of ours or of a package that is installed."""
    name = ALIASES.get(name, name)
    if name in FINGERPRINTERS:
        return FINGERPRINTERS[name]
    from importlib.metadata import entry_points

    others = {one.name: one.value for one in entry_points(group=ENTRY_POINTS)}
    if name not in others:
        raise OptionError(f"fingerprinter {name!r} is not known: choose one of {', '.join([*SHOWN, *others])}")
    return others[name]
