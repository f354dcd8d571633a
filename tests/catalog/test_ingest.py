"""Files become tracks: each once, whole or not at all, and only what changed is read."""

import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

import earmark
from earmark.errors import CatalogReadOnly, MediaError, OptionError
from earmark.extract.task import extract


@pytest.fixture
def catalog(tmp_path):
    with earmark.open(tmp_path / "music.earmark") as catalog:
        yield catalog


@pytest.fixture
def folder(pieces, tmp_path):
    """A folder of two pieces."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in pieces[:2]:
        shutil.copy(path, folder)
    return folder


def test_tracks_are_reported_and_listed_in_order(catalog, pieces):
    report = catalog.add(pieces[:3])
    assert [track.path for track in report.added] == [str(path) for path in pieces[:3]]
    assert catalog.tracks() == report.added
    assert [track.title for track in report.added] == [path.stem for path in pieces[:3]]
    assert [round(track.seconds, 2) for track in report.added] == [12.0] * 3
    assert all(track.complete and len(track.id) == 16 for track in report.added)
    assert not report.interrupted


def test_a_second_run_reads_nothing(catalog, folder):
    first = catalog.add(folder)
    steps = []
    second = catalog.add(folder, progress=steps.append)
    assert second.unchanged == tuple(track.path for track in first.added)
    assert second.added == second.updated == ()
    assert steps[-1].seconds_done == 0


def test_what_is_no_music_is_listed_with_the_reason_and_stops_nothing(catalog, folder):
    (folder / "corrupt.mp3").write_bytes(b"ID3" + os.urandom(5000))
    (folder / "notes.txt").write_text("buy milk\n" * 50)
    (folder / "empty.flac").touch()
    (folder / "list.m3u").write_text("#EXTM3U\none.wav\n")
    (folder / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(500))
    (folder / "README").write_text("made with love\n" * 50)
    soundfile.write(folder / "silent.wav", np.zeros(16000 * 8, np.float32), 16000)
    report = catalog.add(folder)
    assert len(report.added) == 2
    reasons = {Path(path).name: reason.split(":")[0] for path, reason in report.failed}
    assert set(reasons) == {"corrupt.mp3", "empty.flac", "silent.wav"}
    assert {Path(path).name for path, _ in report.skipped} == {"notes.txt", "list.m3u", "cover.jpg", "README"}
    (named,) = catalog.add(folder / "notes.txt").failed
    assert "no audio or video" in named[1]
    assert reasons["silent.wav"] == "low_information"
    assert reasons["empty.flac"] == "too_short"
    assert len(catalog) == 2


def test_progress_comes_after_the_track_is_on_the_disk(catalog, folder, tmp_path):
    steps = []

    def look(step):
        with earmark.open(tmp_path / "music.earmark", read_only=True) as reader:
            steps.append((step.done, step.total, step.outcome, step.track in reader.tracks()))

    catalog.add([folder, tmp_path / "absent.wav"], progress=look)
    assert steps == [(1, 3, "failed", False), (2, 3, "added", True), (3, 3, "added", True)]


def test_the_same_recording_under_two_names_is_one_track(catalog, folder, pieces):
    shutil.copy(pieces[0], folder / "again.wav")
    report = catalog.add(folder)
    assert len(report.added) == 2
    assert len(report.unchanged) == 1
    assert len(catalog) == 2
    assert len(catalog.add(folder).unchanged) == 3


def test_many_at_once_add_it_once(catalog, pieces):
    with ThreadPoolExecutor(20) as pool:
        reports = list(pool.map(lambda _: catalog.add(pieces[0], workers=1), range(20)))
    assert sum(len(report.added) for report in reports) == 1
    assert len(catalog) == 1


def test_a_file_that_changed_keeps_its_id(catalog, folder, pieces, clip):
    (before, other) = catalog.add(folder).added
    shutil.copy(pieces[4], before.path)
    report = catalog.add(folder)
    (after,) = report.updated
    assert after.id == before.id
    assert report.unchanged == (other.path,)
    assert catalog.identify(clip(pieces[4])).best.track.id == before.id
    assert catalog.identify(clip(pieces[0])).best is None
    assert len(catalog) == 2


def test_a_file_that_moved_is_known_by_its_content(catalog, folder):
    (before, _) = catalog.add(folder).added
    moved = folder / "moved.wav"
    Path(before.path).rename(moved)
    steps = []
    report = catalog.add(folder, progress=steps.append)
    assert report.added == report.updated == ()
    assert steps[-1].seconds_done == 0
    assert catalog.get(before.id).path == str(moved)
    assert len(catalog) == 2


def test_a_file_that_became_another_known_one_leaves_no_double(catalog, folder):
    one, two = catalog.add(folder).added
    shutil.copy(one.path, two.path)
    report = catalog.add(folder)
    assert [track.id for track in report.updated] == [one.id]
    assert [track.id for track in catalog.tracks()] == [one.id]


def test_a_moved_file_and_a_duplicate_are_told(catalog, folder):
    one, two = catalog.add(folder).added
    moved, copy = folder / "moved.wav", folder / "copy.wav"
    Path(one.path).rename(moved)
    shutil.copy(two.path, copy)
    report = catalog.add(folder)
    assert report.moved == ((one.path, str(moved)),)
    assert report.duplicates == ((str(copy), two.path),)
    assert set(report.unchanged) == {str(moved), str(copy), two.path}
    assert report.missing == ()
    assert catalog.add(folder).duplicates == report.duplicates


def test_a_path_is_absolute_wherever_one_stands(catalog, folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    (one, _) = catalog.add("folder").added
    monkeypatch.chdir(folder)
    assert catalog.add("../folder/" + Path(one.path).name).unchanged
    assert one.path == str(folder / Path(one.path).name)
    assert [track.path for track in catalog.tracks()] == sorted(str(path) for path in folder.iterdir())


def test_what_was_deleted_is_told_once_its_folder_is_added_again(catalog, folder, tmp_path):
    one, two = catalog.add(folder).added
    Path(one.path).unlink()
    assert [track.id for track in catalog.add(folder).missing] == [one.id]
    assert catalog.add(two.path).missing == ()
    assert [track.id for track in catalog.missing()] == [one.id]
    shutil.rmtree(folder)
    report = catalog.add(folder)
    assert [track.id for track in report.missing] == [one.id, two.id]
    assert report.failed == ((str(folder), "unreadable: No such file or directory"),)


def test_two_tracks_never_claim_one_path(catalog, folder, pieces):
    one, _ = catalog.add(folder).added
    copy = folder / "z.wav"
    shutil.copy(one.path, copy)
    catalog.add(folder)
    shutil.copy(pieces[4], one.path)
    report = catalog.add(folder)
    paths = [track.path for track in catalog.tracks()]
    assert len(set(paths)) == len(paths) == 3
    assert catalog.get(one.id).path == str(copy)
    ((before, after),) = report.replaced
    assert (before.id, before.path, after.path) == (one.id, one.path, one.path)
    assert after.id != one.id


def test_words_edited_by_hand_outlast_the_tags_of_the_file(catalog, folder, pieces):
    path = folder / "a.flac"
    tagged(pieces[5], path, title="Old", genre="Polka", year="1999")
    (track,) = catalog.add(path).added
    catalog.update(track.id, title="Mine", tags={"year": "1999", "mood": "calm"})
    tagged(pieces[5], path, title="New", genre="Waltz", year="2001")
    (after,) = catalog.add(path).updated
    assert (after.id, after.title) == (track.id, "Mine")
    assert (after.tags["mood"], after.tags["year"]) == ("calm", "2001")
    assert "genre" not in after.tags
    reset = catalog.update(track.id, reset=True)
    assert (reset.title, reset.tags["genre"], "mood" in reset.tags) == ("New", "Waltz", False)


def test_words_are_not_carried_over_to_another_recording(catalog, folder, pieces, tmp_path):
    path = folder / "a.wav"
    shutil.copy(pieces[5], path)
    (track,) = catalog.add(path).added
    catalog.update(track.id, title="Mine")
    samples, rate = soundfile.read(pieces[4])
    soundfile.write(path, samples[: len(samples) // 2], rate)
    (after,) = catalog.add(path).updated
    assert after.title == "a"


def test_a_cue_sheet_names_the_parts_of_a_file_also_when_it_comes_later(catalog, folder):
    path = folder / "album.wav"
    shutil.move(next(folder.glob("*.wav")), path)
    assert catalog.add(path).added[0].chapters == ()
    path.with_suffix(".cue").write_text(
        'PERFORMER "Band"\nFILE "album.wav" WAVE\n  TRACK 01 AUDIO\n    TITLE "One"\n    INDEX 01 00:00:00\n'
        '  TRACK 02 AUDIO\n    TITLE "Two"\n    PERFORMER "Guest"\n    INDEX 00 00:05:00\n    INDEX 01 00:06:37\n'
    )
    assert catalog.add(path).unchanged
    (track,) = catalog.tracks()
    assert [(one.title, one.artist) for one in track.chapters] == [("One", "Band"), ("Two", "Guest")]
    assert track.chapter_at(7).title == "Two"
    assert track.chapter_at(6).title == "One"


def tagged(source, path, **tags):
    """Write a copy of a recording with these tags and return its path."""
    samples, rate = soundfile.read(source, dtype="float32")
    with av.open(str(path), "w") as written:
        stream = written.add_stream("flac", rate=rate, layout="mono")
        written.metadata.update(tags)
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None, :], format="s16", layout="mono")
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            written.mux(packet)
    return path


def test_an_id_of_ones_own_is_kept_and_never_given_twice(catalog, folder, pieces):
    paths = [str(path) for path in pieces[:3]]
    report = catalog.add(paths, ids={paths[0]: "mine", paths[1]: "yours", paths[2]: "mine"})
    assert [track.id for track in report.added] == ["mine", "yours"]
    ((path, reason),) = report.failed
    assert path == paths[2]
    assert "another recording has the id 'mine'" in reason
    ((path, reason),) = catalog.add(paths[0], ids={paths[0]: "other"}).failed
    assert "the track 'mine' already" in reason


def test_an_interrupt_keeps_what_is_done(tmp_path, pieces):
    with earmark.open(tmp_path / "music.earmark") as catalog:

        def interrupt(step):
            if step.done == 2:
                raise KeyboardInterrupt

        report = catalog.add(pieces, workers=1, progress=interrupt)
        assert report.interrupted
        assert 2 <= len(report.added) < len(pieces)
        assert catalog.tracks() == report.added
    with earmark.open(tmp_path / "music.earmark") as catalog:
        assert catalog.verify().ok
        rest = catalog.add(pieces)
        assert len(rest.unchanged) == len(report.added)
        assert len(catalog) == len(pieces)


def test_a_callback_that_fails_ends_the_run_and_keeps_what_is_done(catalog, pieces):
    def fail(step):
        raise RuntimeError("the caller's own")

    with pytest.raises(RuntimeError, match="the caller's own"):
        catalog.add(pieces[:2], progress=fail)
    assert len(catalog) >= 1
    catalog.add(pieces[:2])
    assert len(catalog) == 2


def test_order_is_that_of_adding_whatever_the_clock_does(catalog, pieces, monkeypatch):
    hour = 3600 * 10**9
    now = iter(range(10**18, 0, -hour))
    monkeypatch.setattr("earmark.catalog.ingest.time.time_ns", lambda: next(now))
    catalog.add(pieces[:3])
    assert [track.path for track in catalog.tracks()] == [str(path) for path in pieces[:3]]
    added = [track.added for track in catalog.tracks()]
    assert added == sorted(added, reverse=True)


def test_what_is_kept_is_what_the_file_held_though_it_was_being_written(catalog, tmp_path, pieces):
    import hashlib

    path, end = tmp_path / "growing.wav", threading.Event()
    contents = [one.read_bytes() for one in pieces[:2]]

    def write():
        turn = 0
        while not end.is_set():
            path.write_bytes(contents[turn % 2])
            turn += 1
            time.sleep(0.002)

    path.write_bytes(contents[0])
    writer = threading.Thread(target=write)
    writer.start()
    try:
        reports = [catalog.add(path, workers=1) for _ in range(5)]
    finally:
        end.set()
        writer.join()
    hashes = {hashlib.sha256(content).digest() for content in contents}
    for recording in catalog._store.recordings():
        assert recording.content in hashes
    for report in reports:
        assert all(reason.startswith(("unreadable", "too_short")) for _, reason in report.failed)
    assert catalog.add(path).failed == ()


def test_names_that_are_no_text_are_added(catalog, tmp_path, pieces):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    shutil.copy(pieces[0], path)
    (track,) = catalog.add(path).added
    assert track.path == str(path)
    track.title.encode()
    assert catalog.add(path).unchanged == (str(path),)


def test_a_reader_adds_nothing(known, pieces):
    with earmark.open(known, read_only=True) as reader, pytest.raises(CatalogReadOnly, match="read_only=False"):
        reader.add(pieces)


def test_no_workers_are_refused(catalog, pieces):
    with pytest.raises(OptionError, match="workers=0; give 1 or more"):
        catalog.add(pieces, workers=0)


def test_a_clip_longer_than_a_query_may_be_is_refused_while_it_is_read(pieces):
    request = {"fingerprinter": "shazam", "preset": {}, "query": True, "max_seconds": 2.0}
    with pieces[0].open("rb") as file, pytest.raises(MediaError, match="too_long: longer than 2 s"):
        extract(file, request, lambda seconds: None)
