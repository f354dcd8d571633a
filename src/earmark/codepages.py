"""Text without a declared code page, as in old tags: told apart by charset-normalizer and by common letters.

charset-normalizer says in which code pages bytes are text at all; short names are that in several, so the one whose
letters are the usual ones of its script is taken, and none where two come near each other.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence

LATIN = "cp1252"
_SCRIPTS = "cp1251 koi8_r cp866 cp1253 cp1255 cp1256 tis_620"
_IDEOGRAPHS = "cp932 euc_jp gb18030 big5 cp949"
CODE_PAGES = f"{_SCRIPTS} {_IDEOGRAPHS}".split()
MOST_CHAOS = 0.2  # charset-normalizer's measure of disorder, 0 to 1, above which a reading is none
LEAST_LETTERS = 4  # letters beyond ASCII that can tell code pages apart
FOREIGN_SHARE = 0.4  # share of letters beyond ASCII above which a text is no Western one
LEAST_COMMON, LEAST_MARGIN = 0.4, 0.04  # share of common letters of the best reading, and more than the next one has
_MOST_BYTES = 4_096  # bytes that are looked at

# The ten letters that make up more than half of each script's running text, or nearly.
_COMMON = {
    "cp1251": "оеаинтсрвл", "koi8_r": "оеаинтсрвл", "cp866": "оеаинтсрвл", "cp1253": "αοιετσνηυράέίόή",
    "cp1255": "יוהלאתמברשםן", "cp1256": "اليمونترب", "tis_620": "านรอกเงมยลี่",
}  # fmt: skip


def decoded(texts: Sequence[bytes]) -> list[str] | None:
    """Return texts that share a code page, as tags of one file do; None where it cannot be told."""
    joint = b" ".join(texts)
    try:
        joint.decode("utf-8")
        return [text.decode("utf-8") for text in texts]
    except UnicodeDecodeError:
        pass
    page = _code_page(joint[:_MOST_BYTES])
    try:
        return None if page is None else [text.decode(page) for text in texts]
    except UnicodeDecodeError:
        return None


def load() -> None:
    """Load all that `decoded` needs, for processes that afterwards can open nothing."""
    for page in (*CODE_PAGES, LATIN, "gb2312", "euc_kr", "utf-8"):
        codecs.lookup(page)
    for text in ("Подмосковные", "月亮代表我的心"):
        decoded([text.encode("gb18030"), text.encode("utf-8")[:-1]])


def is_western(text: bytes) -> bool:
    """Return whether bytes look like words of Latin letters with some accents, as in Windows-1252."""
    beyond = sum(byte >= 0xC0 for byte in text)
    letters = beyond + sum(chr(byte).isalpha() for byte in text if byte < 0x80)
    controls = sum(0x80 <= byte < 0xA0 or byte == 0xAD for byte in text)
    foreign = [word for word in text.split() if any(byte >= 0x80 for byte in word)]
    mixed = [word for word in foreign if any(chr(byte).isalpha() for byte in word if byte < 0x80)]
    symbols = sum(0x80 <= byte < 0xC0 for byte in text)
    is_mixed = not symbols and 2 * len(mixed) > len(foreign)
    return is_mixed or beyond + controls <= FOREIGN_SHARE * max(letters, 1)


def _code_page(text: bytes) -> str | None:
    from charset_normalizer import from_bytes  # here: it takes longer to load than most commands take

    if is_western(text):
        return LATIN
    if sum(byte >= 0x80 for byte in text) < LEAST_LETTERS:
        return None
    found = from_bytes(text, cp_isolation=CODE_PAGES, threshold=0.9, enable_fallback=False)
    readings: dict[str, tuple[float, str]] = {}
    for match in found:
        for page in {match.encoding, *match.could_be_from_charset} & set(CODE_PAGES):
            if match.chaos <= MOST_CHAOS:
                reading = text.decode(page, "replace")
                score = _common_share(reading, page) - float(match.chaos) - _mixed_share(reading, page)
                readings[reading] = max(readings.get(reading, (-1.0, "")), (score, page))
    best, second = [*sorted(readings.values(), reverse=True), (-1.0, ""), (-1.0, "")][:2]
    return best[1] if best[0] >= LEAST_COMMON and best[0] - second[0] >= LEAST_MARGIN else None


def _common_share(text: str, page: str) -> float:
    """Return which share of the letters beyond ASCII are usual ones."""
    letters = [letter for letter in text if letter >= "\x80" and letter.isalpha()]
    usual: Callable[[str], bool] = _USUAL.get(page, lambda letter: letter.lower() in _COMMON[page])
    # Of the scripts with letters, ten of them make up some six tenths; brought to the scale of the others.
    scale = 1.0 if page in _USUAL else 1.5
    return scale * sum(1 for letter in letters if usual(letter)) / max(len(letters), 1)


def _mixed_share(text: str, page: str) -> float:
    """Return which share of the words mix Latin letters with those of another alphabet, as no language does."""
    words = [word for word in text.split() if any(letter >= "\x80" for letter in word)]
    if page in _USUAL or not words:
        return 0.0
    return sum(any("a" <= letter.lower() <= "z" for letter in word) for word in words) / len(words)


def _leads(page: str, first: int, last: int) -> Callable[[str], bool]:
    """Return whether a character's first byte lies where a code page keeps the most used ones."""

    def is_usual(letter: str) -> bool:
        encoded = letter.encode(page, "ignore")
        return len(encoded) == 2 and first <= encoded[0] <= last

    return is_usual


def _is_kana(letter: str) -> bool:
    return "\u3041" <= letter <= "\u30ff"


_USUAL: dict[str, Callable[[str], bool]] = {
    "gb18030": _leads("gb2312", 0xB0, 0xD7),
    "big5": _leads("big5", 0xA4, 0xC6),
    "cp949": lambda letter: "\uac00" <= letter <= "\ud7a3" and _leads("euc_kr", 0xB0, 0xC8)(letter),
    "cp932": lambda letter: _is_kana(letter) or _leads("cp932", 0x88, 0x97)(letter),
    "euc_jp": lambda letter: _is_kana(letter) or _leads("euc_jp", 0xB0, 0xCF)(letter),
}
