"""A small data set in FMA's real layout: three rows of headers, 52 columns, lists, quotes and line breaks in cells."""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import zipfile

import av
import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.datasets.fma import BROKEN, audio_path, examine, fetch, in_subset, read_entries
from earmark.errors import EarmarkError, OptionError

# The 52 columns of tracks.csv, in its order.
NAMES = """
    album.comments album.date_created album.date_released album.engineer album.favorites album.id album.information
    album.listens album.producer album.tags album.title album.tracks album.type artist.active_year_begin
    artist.active_year_end artist.associated_labels artist.bio artist.comments artist.date_created artist.favorites
    artist.id artist.latitude artist.location artist.longitude artist.members artist.name artist.related_projects
    artist.tags artist.website artist.wikipedia_page set.split set.subset track.bit_rate track.comments track.composer
    track.date_created track.date_recorded track.duration track.favorites track.genre_top track.genres track.genres_all
    track.information track.interest track.language_code track.license track.listens track.lyricist track.number
    track.publisher track.tags track.title
"""
COLUMNS = [tuple(name.split(".")) for name in NAMES.split()]
BIOGRAPHY = '<p>Plays "the" drums,\nand more.</p>' + "x" * 200_000  # longer than csv's own limit


def row(number, *, artist=1, subset="small", split="training", duration=168):
    cells = dict.fromkeys(COLUMNS, "")
    cells |= {
        ("album", "title"): "AWOL - A Way Of Life", ("artist", "bio"): BIOGRAPHY, ("artist", "id"): str(artist),
        ("artist", "name"): 'A, "B" & Ç', ("set", "split"): split, ("set", "subset"): subset,
        ("track", "duration"): str(duration), ("track", "genre_top"): "Hip-Hop", ("track", "genres"): "[21]",
        ("track", "genres_all"): "[21, 4]", ("track", "license"): "Attribution-NonCommercial-ShareAlike 3.0",
        ("track", "tags"): "['lo-fi', \"it's\"]", ("track", "title"): f"Track {number}",
    }  # fmt: skip
    return [str(number), *cells.values()]


def write_tracks(path, rows):
    path.parent.mkdir(parents=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["", *(group for group, _ in COLUMNS)])
        writer.writerow(["", *(name for _, name in COLUMNS)])
        writer.writerow(["track_id", *[""] * len(COLUMNS)])
        writer.writerows(rows)


def mp3(samples):
    spool = io.BytesIO()
    with av.open(spool, "w", format="mp3") as out:
        stream = out.add_stream("libmp3lame", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = 16_000
        fitter = av.AudioResampler(
            format="s16p", layout="mono", rate=16_000, frame_size=stream.codec_context.frame_size
        )
        for part in [*fitter.resample(frame), *fitter.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return spool.getvalue()


@pytest.fixture(scope="session")
def clip(music):
    """clip(seconds, shift) is an MP3 file of real music."""
    piece = np.tile(load(music[0], rate=16_000)[0], 3)
    return functools.cache(lambda seconds, shift: mp3(piece[shift : shift + round(seconds * 16_000)]))


@pytest.fixture
def fma(tmp_path, clip):
    """Eight tracks: two whole ones, a copy, an empty one, a short one, one that is missing, and two of medium."""
    rows = [
        row(2), row(3, artist=2, split="validation"), row(5), row(98565), row(133297), row(140, duration=20),
        row(141), row(142, subset="medium"), row(143, subset="large"),
    ]  # fmt: skip
    write_tracks(tmp_path / "fma_metadata" / "tracks.csv", rows)
    whole = clip(30, 0)
    files = {
        2: whole, 3: clip(29.98, 700), 5: whole, 98565: clip(1.6, 0), 133297: b"", 140: clip(20, 100),
    }  # fmt: skip
    lines = []
    for number, content in files.items():
        path = audio_path(tmp_path, "small", number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        lines.append(f"{hashlib.sha1(content).hexdigest()}  {path.parent.name}/{path.name}\n")
    (tmp_path / "fma_small" / "checksums").write_text("".join(lines))
    return tmp_path


def test_the_table_is_read_as_it_is_published(fma):
    entries = list(read_entries(fma / "fma_metadata" / "tracks.csv"))
    assert len(COLUMNS) == 52
    assert [entry.number for entry in entries] == [2, 3, 5, 98565, 133297, 140, 141, 142, 143]
    first = entries[0]
    assert (first.title, first.artist, first.album) == ("Track 2", 'A, "B" & Ç', "AWOL - A Way Of Life")
    assert (first.genre, first.genres, first.seconds) == ("Hip-Hop", (21, 4), 168)
    assert first.licence == "Attribution-NonCommercial-ShareAlike 3.0"
    assert (first.subset, first.split, entries[1].split) == ("small", "training", "validation")
    assert csv.field_size_limit() == 131_072  # as it was


def test_each_subset_holds_the_smaller_ones(fma):
    entries = list(read_entries(fma / "fma_metadata" / "tracks.csv"))
    counts = [sum(in_subset(entry, subset) for entry in entries) for subset in ("small", "medium", "large", "full")]
    assert counts == [7, 8, 9, 9]
    with pytest.raises(OptionError, match="subset='tiny'; give one of small, medium"):
        in_subset(entries[0], "tiny")


def test_a_number_says_where_its_audio_lies(tmp_path):
    assert audio_path(tmp_path, "small", 2) == tmp_path / "fma_small" / "000" / "000002.mp3"
    assert audio_path(tmp_path, "full", 133297) == tmp_path / "fma_full" / "133" / "133297.mp3"


def test_it_says_what_is_missing_what_is_broken_and_what_is_a_twin(fma):
    seen = []
    found = examine(fma, "small", progress=seen.append)
    assert [one.track_id for one in found.recordings] == ["fma/000002", "fma/000003", "fma/000140"]
    assert [one.group for one in found.recordings] == ["artist 1", "artist 2", "artist 1"]
    assert [path.name for path in found.missing] == ["000141.mp3"]
    reasons = {path.name: reason for path, reason in found.broken}
    assert reasons["098565.mp3"] == "1.6 s in place of 30 s, as published"
    assert set(reasons) == {"098565.mp3", "133297.mp3"}
    assert [[path.name for path in group] for group in found.duplicates] == [["000002.mp3", "000005.mp3"]]
    assert found.summary() == "3 recordings, 0.02 h; 1 missing, 2 broken, 1 copies of others"
    assert len(seen) == 7
    assert {98565, 133297} < BROKEN
    assert len(BROKEN) == 21


def test_a_file_that_changed_is_broken(fma, clip):
    audio_path(fma, "small", 3).write_bytes(clip(30, 5_000))
    reasons = {path.name: reason for path, reason in examine(fma, "small").broken}
    assert reasons["000003.mp3"] == "its SHA-1 is not that of the checksums file; fetch it again"


def test_another_table_is_refused(tmp_path):
    (tmp_path / "genres.csv").write_text("genre_id,#tracks,parent,title,top_level\n1,8693,38,Avant-Garde,38\n")
    with pytest.raises(OptionError, match="has no row of headers with track_id"):
        list(read_entries(tmp_path / "genres.csv"))
    (tmp_path / "tracks.csv").write_text(",album\n,comments\ntrack_id,\n2,0\n")
    with pytest.raises(OptionError, match=r"has no column track\.title"):
        list(read_entries(tmp_path / "tracks.csv"))


def zipped(fma, target, name):
    with zipfile.ZipFile(target / f"fma_{name}.zip", "w") as archive:
        for path in sorted((fma / f"fma_{name}").rglob("*")):
            archive.write(path, path.relative_to(fma).as_posix())
    return hashlib.sha1((target / f"fma_{name}.zip").read_bytes()).hexdigest()


def test_archives_are_fetched_checked_and_unpacked(fma, tmp_path_factory):
    mirror, root = tmp_path_factory.mktemp("mirror"), tmp_path_factory.mktemp("root")
    sums = {name: zipped(fma, mirror, name) for name in ("metadata", "small")}
    fetch(root, "small", archives=f"{mirror.as_uri()}/", sha1=sums)
    assert examine(root, "small").summary() == examine(fma, "small").summary()
    audio_path(root, "small", 2).unlink()
    fetch(root, "small", archives="http://127.0.0.1:9/", sha1=sums)  # nothing is fetched, what lacks is unpacked
    assert audio_path(root, "small", 2).exists()


def test_an_archive_that_points_outside_is_refused(tmp_path):
    mirror, root = tmp_path / "mirror", tmp_path / "root"
    mirror.mkdir()
    with zipfile.ZipFile(mirror / "fma_metadata.zip", "w") as archive:
        archive.writestr("../evil", "x")
    sums = {"metadata": hashlib.sha1((mirror / "fma_metadata.zip").read_bytes()).hexdigest(), "small": ""}
    with pytest.raises(EarmarkError, match=r"names '\.\./evil', outside its folder"):
        fetch(root, "small", archives=f"{mirror.as_uri()}/", sha1=sums)
