"""How much a message holds, told before it is made into Python's values, which take up to 64 times its size."""

from __future__ import annotations

MOST = 1 << 22  # values, and bytes of text, of one message; the chapters of a long book have some thousands
# By their first byte: bytes of the value behind it, or of the number of bytes, values or pairs that follow it.
NUMBERS = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8} | {0xCC + n: 1 << n for n in range(4)}
NUMBERS |= {0xD0 + n: 1 << n for n in range(4)}
BLOBS = {0xC4: 1, 0xC5: 2, 0xC6: 4}
TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
LISTS = {0xDC: 2, 0xDD: 4}
MAPS = {0xDE: 2, 0xDF: 4}


def check_bounds(message: bytes | bytearray, most: int = MOST) -> None:
    """Raise ValueError for msgpack of more values and text than `most`, or of a kind that is not sent.

    The content of blobs does not count. Raises LookupError where the message ends too early.
    """
    place, left, held = 0, 1, 0  # `left`: values that are still to come
    while left:
        first, left, held = message[place], left - 1, held + 1
        place += 1
        if first in NUMBERS or first < 0x80 or first >= 0xE0:
            place += NUMBERS.get(first, 0)
        elif first < 0x90:
            left += 2 * (first & 0x0F)
        elif first < 0xA0:
            left += first & 0x0F
        elif first < 0xC0:
            held += first & 0x1F
            place += first & 0x1F
        else:
            size = BLOBS.get(first) or TEXTS.get(first) or LISTS.get(first) or MAPS.get(first)
            if size is None:
                raise ValueError(f"a message with a value of kind {first:#x}")
            count = int.from_bytes(message[place : place + size], "big")
            place += size
            if first in LISTS or first in MAPS:
                left += count * (2 if first in MAPS else 1)
            else:
                place += count
                held += count if first in TEXTS else 0
        if held + left > most:
            raise ValueError(f"a message of more than {most:,} values and letters")
