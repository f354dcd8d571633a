"""Text from strangers (tags, file names, messages of decoders), made safe to keep and to show."""

from __future__ import annotations

import os

LONGEST = 1_024  # characters of a name or tag: longer ones are cut

# They turn the direction of what follows, by which a name can pretend to be another (Unicode TR 36).
_REORDERING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *map(ord, _REORDERING))
# Python holds a byte that is no UTF-8 as the surrogate U+DC00 + byte (PEP 383); other surrogates stand alone.
_SURROGATES = {code: rf"\u{code:04x}" for code in range(0xD800, 0xE000)}
_SURROGATES |= {0xDC00 + byte: rf"\x{byte:02x}" for byte in range(0x80, 0x100)}
_WITHOUT_CONTROLS = dict.fromkeys(_CONTROLS) | _SURROGATES
_WITH_ESCAPES = {code: rf"\x{code:02x}" if code < 0x100 else rf"\u{code:04x}" for code in _CONTROLS} | _SURROGATES


def printable(name: str | os.PathLike[str]) -> str:
    r"""Return a name without control and reordering characters, bytes that are no text as \xNN, at most `LONGEST` long.

    For what is kept or handed on: titles, tags, ids, the source of an answer. They are read by programs too, to which
    an escape means nothing, so what no name needs is left out. A line on a terminal is made by `escaped`.
    """
    return os.fspath(name).translate(_WITHOUT_CONTROLS)[:LONGEST]


def escaped(text: object) -> str:
    r"""Return text in one line, with every control, reordering and undecodable character written as \xNN or \uNNNN.

    For what a person reads now, on a terminal or in a picture: nothing is left out or cut, so that two names that
    differ look different, and a hostile one is seen to be hostile.
    """
    return str(text).translate(_WITH_ESCAPES)
