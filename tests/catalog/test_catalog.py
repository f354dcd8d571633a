"""A catalog as its users see it: what it knows, what it answers, and what it does when something is wrong."""

import io
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import soundfile

import earmark
from earmark.catalog.backend import RebuildProgress
from earmark.errors import (
    CatalogDamaged,
    CatalogError,
    CatalogLocked,
    CatalogNotFound,
    CatalogReadOnly,
    MediaError,
    OptionError,
    SpecMismatch,
    TrackExists,
    TrackNotFound,
)


@pytest.fixture
def catalog(catalog_folder):
    with earmark.open(catalog_folder) as catalog:
        yield catalog


@pytest.fixture
def reader(known):
    with earmark.open(known, read_only=True) as reader:
        yield reader


def as_wav(samples, rate):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def best(answer):
    return answer.best and (answer.best.track.title, round(answer.best.reference_start - answer.best.query_start, 1))


# Opening


def test_it_is_made_when_absent_and_only_then(tmp_path):
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(CatalogNotFound, match="earmark index"):
            earmark.open(tmp_path / "new", **options)
    earmark.open(tmp_path / "new").close()
    earmark.open(tmp_path / "new", create=False).close()


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(CatalogError, match=r"other things in it \(letter.txt\)"):
        earmark.open(tmp_path)
    with pytest.raises(CatalogError, match="a part of it is a file; name a folder that can be made"):
        earmark.open(tmp_path / "letter.txt" / "catalog")
    with pytest.raises(CatalogError, match="it is a file; name a folder that can be made"):
        earmark.open(tmp_path / "letter.txt")


def test_a_second_writer_is_refused_and_readers_are_not(catalog, catalog_folder):
    with pytest.raises(CatalogLocked, match="read_only=True"):
        earmark.open(catalog_folder)
    with earmark.open(catalog_folder, read_only=True) as reader:
        assert len(reader) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fingerprinter": "shazam"}, "fingerprinter='neural', not 'landmarks'"),
        ({"peaks": False}, "leave them out, or make another catalog"),
        ({"loudness": 3}, "loudness is no setting of neural"),
        ({"index": "nothing"}, "'nothing' is not known"),
        ({"index": "linear"}, "index='both', not 'linear'"),
        ({"index": "postings"}, "cannot hold what neural makes"),
    ],
)
def test_what_it_was_made_with_stays(known, options, message):
    with pytest.raises(OptionError, match=message):
        earmark.open(known, read_only=True, **options)


def test_settings_that_agree_may_be_given(known):
    earmark.open(known, read_only=True, fingerprinter="neural", index="both", model="default", peaks=True).close()


def test_settings_that_make_no_sense_leave_no_folder(tmp_path):
    for options in ({"fingerprinter": "nothing"}, {"index": "nothing"}, {"model": "nothing"}, {"density": "lean"}):
        with pytest.raises(OptionError):
            earmark.open(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_fingerprints_of_another_kind_are_not_mixed(known, monkeypatch):
    from earmark.extract import fingerprinter
    from earmark.fingerprints import neural

    with monkeypatch.context() as patch:
        patch.setattr(neural, "VERSION", 9)
        fingerprinter._made.cache_clear()
        with pytest.raises(SpecMismatch, match=r"holds fingerprints neural/2/.*, this earmark makes neural/9/"):
            earmark.open(known, read_only=True)
    fingerprinter._made.cache_clear()


def test_it_says_when_it_is_closed(known):
    reader = earmark.open(known, read_only=True)
    reader.close()
    reader.close()
    with pytest.raises(CatalogError, match="is closed; open it again"):
        reader.tracks()


def test_a_closed_catalog_is_small(known):
    names = {path.relative_to(known).parts[0] for path in known.rglob("*")}
    assert names - {"catalog.db-shm", "catalog.db-wal"} == {"CURRENT", "catalog.db", "generations", "writer.lock"}
    assert not (known / "catalog.db-wal").exists() or (known / "catalog.db-wal").stat().st_size == 0


# Knowing


def test_tracks_are_found_by_words(reader, pieces):
    title = pieces[1].stem
    assert [track.title for track in reader.find(title.upper())] == [title]
    assert reader.find("") == reader.tracks() == tuple(reader)
    assert reader.find("no such words") == ()


def test_words_about_a_track_can_change(catalog):
    track = catalog.tracks()[0]
    changed = catalog.update(track.id, title="Other", tags={"mood": "calm"})
    assert changed == replace(track, title="Other", tags={"mood": "calm"}) == catalog.get(track.id)
    catalog.update(track.id, new_id="mine")
    assert catalog.get("mine").title == "Other"
    with pytest.raises(TrackNotFound):
        catalog.get(track.id)
    with pytest.raises(TrackExists):
        catalog.update("mine", new_id=catalog.tracks()[1].id)


def test_what_is_removed_is_found_no_more(catalog, catalog_folder, pieces, clip):
    track = catalog.tracks()[0]
    with pytest.raises(TrackNotFound, match="'nothing'"):
        catalog.remove([track.id, "nothing"])
    assert catalog.identify(clip(pieces[0])).best.track == track
    catalog.remove(track.id)
    assert catalog.identify(clip(pieces[0])).best is None
    with earmark.open(catalog_folder, read_only=True) as reader:
        assert reader.identify(clip(pieces[0])).best is None
        assert reader.identify(clip(pieces[1])).best is not None
    assert len(catalog.add(pieces[0]).added) == 1
    assert catalog.identify(clip(pieces[0])).best.track.title == track.title


def test_it_tells_about_itself(reader, known):
    info = reader.info()
    assert info["path"] == str(known)
    assert info["tracks"] == 4
    assert 47 < info["seconds"] < 49
    assert info["spec"].startswith("neural/")
    assert info["index"] == "both"
    assert info["problems"] == ()
    assert info["unpublished_tracks"] == 0


def test_its_fingerprints_come_with_their_tracks(reader, catalog_folder, pieces):
    known = list(reader.fingerprints())
    assert [track for track, _ in known] == list(reader.tracks())
    assert [str(fingerprint.spec) for _, fingerprint in known] == [reader.info()["spec"]] * 4
    assert [fingerprint.seconds for _, fingerprint in known] == pytest.approx([12.0] * 4, abs=0.1)
    damage_fingerprint(catalog_folder, 2)
    with (
        earmark.open(catalog_folder, read_only=True) as damaged,
        pytest.raises(earmark.CatalogDamaged, match="fingerprint of track"),
    ):
        list(damaged.fingerprints())


def test_a_reader_changes_nothing(reader):
    changes = (
        lambda: reader.remove([]),
        lambda: reader.update("x", title="y"),
        lambda: reader.rebuild(),
        lambda: reader.merge("x"),
    )
    for change in changes:
        with pytest.raises(CatalogReadOnly):
            change()


# Answering


def test_a_clip_is_known_from_a_path_bytes_a_file_and_samples(reader, pieces, noisy, tmp_path):
    samples, rate = noisy(pieces[2])
    content = as_wav(samples, rate)
    (tmp_path / "clip.wav").write_bytes(content)
    stereo = np.stack([samples, samples], axis=1)
    with (tmp_path / "clip.wav").open("rb") as file:
        sources = [tmp_path / "clip.wav", str(tmp_path / "clip.wav"), content, file, (samples, rate), (stereo, rate)]
        answers = [reader.identify(source) for source in sources]
    assert {best(answer) for answer in answers} == {(pieces[2].stem, 3.0)}
    assert {answer.reason for answer in answers} == {""}
    assert all(4.9 < answer.seconds < 5.1 for answer in answers)
    assert all(answer.best.confidence >= answer.threshold > 0.4 for answer in answers)
    assert [answer.source for answer in answers[2:5]] == [
        f"{len(content)} bytes",
        str(tmp_path / "clip.wav"),
        "samples",
    ]


def test_what_is_not_known_has_a_reason(reader, pieces, clip):
    silence = np.zeros(16000 * 5, np.float32)
    assert reader.identify((silence, 16000)).reason == "silent"
    assert reader.identify(as_wav(silence, 16000)).reason in ("silent", "low_information")
    assert reader.identify(clip(pieces[5])).reason == "unknown"
    assert reader.identify(clip(pieces[0], seconds=0.005)).reason in ("too_short", "low_information")
    assert reader.identify(clip(pieces[0], seconds=0)).reason in ("too_short", "silent")


def test_what_cannot_be_read_raises(reader, tmp_path):
    for source in (b"no audio" * 100, tmp_path / "absent.wav", tmp_path):
        with pytest.raises(MediaError):
            reader.identify(source)


def test_what_is_no_source_or_no_option_is_refused(reader, clip, pieces):
    with pytest.raises(OptionError, match="int is no file; give a path"):
        reader.identify(7)
    with pytest.raises(OptionError, match="threshold=2"):
        reader.identify(clip(pieces[0]), threshold=2)
    with pytest.raises(OptionError, match="limit=0"):
        reader.identify(clip(pieces[0]), limit=0)
    with pytest.raises(OptionError, match="at 10 Hz"):
        reader.identify((np.zeros(100, np.float32), 10))


def test_no_threshold_shows_the_candidates(reader, pieces, clip):
    answer = reader.identify(clip(pieces[5]), threshold=0)
    assert answer.threshold == 0
    assert all(match.confidence < 0.5 for match in answer.matches)


def test_a_clip_is_looked_at__that_is_asked_for(reader, pieces, clip):
    glance = reader.identify(clip(pieces[2]), threshold=0)
    close = reader.identify(clip(pieces[2]), threshold=0, closely=True)
    assert glance.best.track == close.best.track
    assert "similarity" not in glance.best.evidence
    assert "similarity" in close.best.evidence
    assert len(close.matches) > len(glance.matches)


def test_many_are_answered_in_order_and_the_bad_ones_among_them(reader, pieces, clip):
    sources = [clip(path) for path in pieces[:4]] + [b"no audio"] + [clip(path) for path in pieces[:4]]
    answers = list(reader.identify_many(iter(sources), workers=2))
    titles = [path.stem for path in pieces[:4]]
    assert [answer.best and answer.best.track.title for answer in answers] == [*titles, None, *titles]
    assert answers[4].reason in MediaError.CODES


def test_many_need_not_be_taken_to_the_end(reader, pieces):
    answers = reader.identify_many([str(path) for path in pieces] * 5)
    assert next(answers).best is not None
    answers.close()


def test_it_is_asked_from_many_threads_while_it_changes(catalog, pieces, clip):
    clips = [clip(path) for path in pieces[:4]] * 6
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(catalog.identify, clips)
        catalog.add(pieces[4:])
        catalog.remove(catalog.find(pieces[5].stem)[0].id)
        assert [answer.best.track.title for answer in answers] == [path.stem for path in pieces[:4]] * 6
    assert catalog.identify(clip(pieces[4])).best is not None


def test_what_a_writer_adds_is_found_by_who_opens_next(catalog, catalog_folder, pieces, clip):
    with earmark.open(catalog_folder, read_only=True) as before:
        catalog.add(pieces[4])
        with earmark.open(catalog_folder, read_only=True) as after:
            assert after.identify(clip(pieces[4])).best is not None
        assert before.identify(clip(pieces[0])).best is not None


# Elsewhere


def test_an_export_gives_the_same_answers(catalog, pieces, noisy, tmp_path):
    target = catalog.export(tmp_path / "deep" / "copy.earmark")
    with earmark.open(target, read_only=True) as copy:
        assert copy.verify().ok
        assert copy.tracks() == catalog.tracks()
        for path in pieces[:4]:
            assert best(copy.identify(noisy(path))) == best(catalog.identify(noisy(path)))
    with pytest.raises(CatalogError, match="exists; name a folder that is not there yet"):
        catalog.export(target)


def test_a_reader_can_export(reader, tmp_path):
    with earmark.open(reader.export(tmp_path / "copy.earmark")) as copy:
        assert len(copy) == 4


def test_a_merge_brings_what_is_not_known(catalog, pieces, clip, tmp_path):
    with earmark.open(tmp_path / "other.earmark") as other:
        other.add(pieces[2:])
    report = catalog.merge(tmp_path / "other.earmark")
    assert [track.path for track in report.added] == [str(path) for path in pieces[4:]]
    assert report.unchanged == tuple(str(path) for path in pieces[2:4])
    assert [track.title for track in catalog.tracks()] == [path.stem for path in pieces]
    assert catalog.identify(clip(pieces[5])).best.track.title == pieces[5].stem
    assert catalog.add(pieces).added == ()


def test_catalogs_of_two_kinds_are_not_merged(catalog, tmp_path):
    earmark.open(tmp_path / "landmarks.earmark", fingerprinter="shazam").close()
    earmark.open(tmp_path / "vectors.earmark", peaks=False).close()
    for other in ("landmarks.earmark", "vectors.earmark"):
        with pytest.raises(SpecMismatch, match="only catalogs of one kind"):
            catalog.merge(tmp_path / other)


def test_an_index_made_anew_gives_the_same_answers(catalog, pieces, noisy):
    before = [best(catalog.identify(noisy(path))) for path in pieces]
    told: list[RebuildProgress] = []
    catalog.rebuild(progress=told.append)
    assert [best(catalog.identify(noisy(path))) for path in pieces] == before
    assert catalog.verify().ok
    assert [one.done for one in told] == list(range(1, len(catalog) + 1))
    assert {one.total for one in told} == {len(catalog)}
    assert told[-1].seconds_left == 0.0


def test_how_long_an_index_of_another_kind_takes_is_said(catalog):
    told: list[RebuildProgress] = []
    catalog.rebuild("hnsw", progress=told.append)
    assert told[-1].seconds_left > 0
    assert catalog.info()["index"] == "hnsw"


# Damage


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def damage_fingerprint(folder, number):
    with earmark.open(folder, read_only=True) as reader:
        packed = reader._store.fingerprints([number])[number]
    database = folder / "catalog.db"
    flip(database, database.read_bytes().index(packed[200:240]) + 20)


def test_a_damaged_fingerprint_is_left_out_named_and_healed(catalog_folder, pieces, clip):
    damage_fingerprint(catalog_folder, 2)
    with earmark.open(catalog_folder, read_only=True) as reader:
        answer = reader.identify(clip(pieces[1]))
        assert answer.best is None
        assert answer.degraded
        assert reader.identify(clip(pieces[0])).best.track.title == pieces[0].stem
        id = reader.tracks()[1].id
        assert any(id in problem for problem in reader.info()["problems"])
    with earmark.open(catalog_folder) as catalog:
        verification = catalog.verify()
        assert not verification.ok
        assert verification.tracks == 4
        assert [id in problem for problem in verification.problems] == [True]
        assert [track.id for track in catalog.add(pieces[:4]).updated] == [id]
        assert catalog.verify().ok
        assert catalog.identify(clip(pieces[1])).best.track.id == id


def test_a_damaged_index_is_put_aside_and_made_again(catalog_folder, pieces, noisy):
    expected = {}
    with earmark.open(catalog_folder, read_only=True) as reader:
        expected = {path: best(reader.identify(noisy(path))) for path in pieces}
    array = max(catalog_folder.rglob("*.npy"), key=lambda path: path.stat().st_size)
    flip(array, 1000)
    with earmark.open(catalog_folder, read_only=True) as reader:
        assert not reader.verify().ok
        assert "checksum does not hold" in reader.info()["problems"][0]
        assert {path: best(reader.identify(noisy(path))) for path in pieces} == expected
        assert not reader.identify(noisy(pieces[0])).degraded
    assert not (catalog_folder / "quarantine").exists()
    with earmark.open(catalog_folder) as catalog:
        assert "was moved to" in catalog.info()["problems"][0]
        assert {path: best(catalog.identify(noisy(path))) for path in pieces} == expected
    assert list((catalog_folder / "quarantine").rglob(array.name))
    with earmark.open(catalog_folder, read_only=True) as reader:
        assert reader.info()["problems"] == ()
        assert reader.verify().ok


def test_a_flipped_byte_anywhere_gives_no_wrong_answer(catalog_folder, pieces, clip):
    asked = (pieces[0], pieces[3], pieces[5])
    clips = [clip(path) for path in asked]
    files = [path for path in sorted(catalog_folder.rglob("*")) if path.is_file() and path.stat().st_size]
    chance = random.Random(1)
    noticed = 0
    for _ in range(40):
        path = chance.choice(files)
        whole = path.read_bytes()
        flip(path, chance.randrange(len(whole)))
        try:
            with earmark.open(catalog_folder, read_only=True) as reader:
                titles = [answer.best and answer.best.track.title for answer in map(reader.identify, clips)]
                assert all(title in (None, path.stem) for title, path in zip(titles, asked, strict=True))
                assert titles[-1] is None
                noticed += bool(reader.info()["problems"])
        except CatalogDamaged:
            noticed += 1
        path.write_bytes(whole)
    assert noticed > 20


def test_without_an_index_everything_is_still_known(catalog_folder, pieces, clip):
    shutil.rmtree(catalog_folder / "generations")
    (catalog_folder / "CURRENT").unlink()
    with earmark.open(catalog_folder, read_only=True) as reader:
        assert reader.identify(clip(pieces[3])).best.track.title == pieces[3].stem
        assert reader.info()["unpublished_tracks"] == 4


def test_vectors_alone_get_an_index_of_vectors_alone(tmp_path):
    with earmark.open(tmp_path / "made.earmark", peaks=False) as catalog:
        assert catalog.info()["index"] == "auto"
        with pytest.raises(OptionError, match="without peaks there are none: use auto"):
            catalog.rebuild("both")
