"""Text without a declared code page is read in the right one, or in none."""

from __future__ import annotations

import pytest

from earmark.codepages import decoded

WRITTEN = [
    ("Подмосковные вечера Хор", "cp1251"),
    ("Подмосковные вечера Хор", "koi8_r"),
    ("Сектор Газа Лирика", "cp1251"),
    ("Музика Океан Ельзи", "cp1251"),
    ("Ελληνικά τραγούδια", "cp1253"),
    ("שלום עולם", "cp1255"),
    ("فيروز حبيتك بالصيف", "cp1256"),
    ("เพลงไทย ขอบคุณ", "tis_620"),
    ("爱你一万年 刘德华", "gb18030"),
    ("周杰倫 青花瓷", "big5"),
    ("사랑했지만 김광석", "cp949"),
    ("残酷な天使のテーゼ", "cp932"),
    ("残酷な天使のテーゼ", "euc_jp"),
    ("Beyoncé – Déjà Vu", "cp1252"),
    ("Ærø ñandú", "cp1252"),
    ("Дорога", "utf-8"),
]


@pytest.mark.parametrize(("text", "page"), WRITTEN)
def test_it_is_read_in_the_code_page_that_it_was_written_in(text: str, page: str) -> None:
    assert decoded([text.encode(page)]) == [text]


def test_texts_of_one_file_help_each_other() -> None:
    assert decoded(["Хор".encode("cp1251")]) is None
    words = ["Подмосковные вечера", "Хор"]
    assert decoded([word.encode("cp1251") for word in words]) == words


@pytest.mark.parametrize("text", [b"\xc1\xf5", b"\x81\xff\xfe\x00\x9c\xe7", bytes(range(128, 256))])
def test_what_makes_no_sense_is_not_guessed(text: bytes) -> None:
    assert decoded([text]) is None
