"""Tags: letters of any country, all artists, chapters; never what no page can show."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import pytest

from earmark.audio.decode import load
from earmark.audio.tags import cleaned_chapters, in_their_code_page
from tests.audio.encoding import encode, encode_as, music

SOUND = music(1.0)


def id3(frames: dict[str, bytes]) -> bytes:
    """Return an ID3v2.3 tag; each frame begins with the byte of its encoding."""
    body = b"".join(name.encode() + len(text).to_bytes(4, "big") + b"\0\0" + text for name, text in frames.items())
    return b"ID3\x03\0\0" + bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0)) + body


def mp3(head: bytes = b"", tail: bytes = b"") -> bytes:
    content = encode_as("mp3", SOUND)
    return head + content[content.index(b"\xff\xfb") :] + tail


def id3_1(title: bytes, artist: bytes) -> bytes:
    return b"TAG" + title.ljust(30, b"\0") + artist.ljust(30, b"\0") + bytes(64) + b"\xff"


@pytest.mark.parametrize(
    ("title", "artist", "page"),
    [("Подмосковные вечера", "Хор", "cp1251"), ("爱你一万年", "刘德华", "gbk"), ("さくらさくら", "いきもの", "cp932")],
)
def test_old_code_pages_are_read(title: str, artist: str, page: str) -> None:
    latin = id3({"TIT2": b"\0" + title.encode(page), "TPE1": b"\0" + artist.encode(page)})
    for content in (mp3(latin), mp3(tail=id3_1(title.encode(page)[:30], artist.encode(page)))):
        tags = load(content, rate=8_000)[1].tags
        assert (tags["title"], tags["artist"]) == (title, artist)


def test_what_no_code_page_can_read_is_left_out() -> None:
    tags = load(mp3(tail=id3_1(b"\xc1\xf5\x81", b"plain")), rate=8_000)[1].tags
    assert "title" not in tags
    assert "\ufffd" not in "".join(tags.values())


def test_all_artists_are_told() -> None:
    several = id3({"TIT2": b"\3Duet", "TPE1": "\3A. Ärtist\0B. Other".encode()})
    assert load(mp3(several), rate=8_000)[1].tags["artist"] == "A. Ärtist; B. Other"
    flac = encode(SOUND, 44_100, codec="flac", container="flac", tags={"artist": "A. Ärtist;B. Other"})
    assert load(flac, rate=8_000)[1].tags["artist"] == "A. Ärtist; B. Other"


def test_tags_in_unicode_stay_as_they_are() -> None:
    tags = {"title": "Ærø – ñandú", "artist": "Beyoncé", "album": "plain"}
    assert in_their_code_page(tags) == tags


def test_chapters_are_read() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        sound = out.add_stream("pcm_s16le", rate=44_100, layout="stereo")
        base = Fraction(1, 1000)
        out.set_chapters([
            {"id": n, "start": 400 * n, "end": 400 * (n + 1), "time_base": base, "metadata": {"title": f"Part {n}"}}
            for n in range(2)
        ])  # fmt: skip
        frame = av.AudioFrame.from_ndarray(
            (SOUND.T.copy() * 32767).astype("int16").T.reshape(1, -1), format="s16", layout="stereo"
        )
        frame.sample_rate, frame.pts = 44_100, 0
        out.mux(sound.encode(frame))
    chapters = load(file.getvalue(), rate=8_000)[1].chapters
    assert [(one.start, one.title) for one in chapters] == [(0.0, "Part 0"), (0.4, "Part 1")]


def test_a_single_chapter_names_no_part() -> None:
    assert cleaned_chapters([(0.0, "All")]) == ()
    assert [one.title for one in cleaned_chapters([(5.0, ""), (0.0, "One")])] == ["One", "chapter 2"]


def test_how_a_file_was_written_is_no_tag() -> None:
    content = encode_as("m4a", music(1.0), tags={"title": "Lied", "genre": "Jazz"})
    assert load(content, rate=8_000)[1].tags.keys() <= {"title", "genre", "language"}
