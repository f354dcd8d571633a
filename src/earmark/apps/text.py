"""Figures as people read them: times, amounts, sizes."""

from __future__ import annotations


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
