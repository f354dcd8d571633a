"""Text that is safe and pleasant to show."""

from __future__ import annotations

BIDIRECTIONAL = (
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # these reorder what is shown
)
CONTROLS = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *map(ord, BIDIRECTIONAL)]
ESCAPES = {code: (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}") for code in CONTROLS}


def printable(text: object) -> str:
    """Return `text` in one line with every control, reordering and undecodable character written as an escape.

    Tags and file names come from strangers: an escape sequence in them must not reach a terminal.
    """
    return str(text).translate(ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")


def clock(seconds: float) -> str:
    """Return 3725.5 as '1:02:05.50'; hours only when there are any."""
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:05.2f}" if hours else f"{minutes}:{rest:05.2f}"


def amount(count: int, noun: str) -> str:
    """Return '1 track', '2 tracks', '1,234 tracks'."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size(count: float) -> str:
    """Return a number of bytes with a decimal unit: 1234567 as '1.2 MB'."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
