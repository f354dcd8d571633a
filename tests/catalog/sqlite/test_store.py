"""What a catalog holds to be true, and how it notices that it does not any more."""

import itertools
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from earmark.catalog.backend import File, Recording
from earmark.catalog.settings import Settings
from earmark.catalog.sqlite.store import SQLiteStore
from earmark.errors import (
    CatalogDamaged,
    CatalogError,
    CatalogNotFound,
    CatalogReadOnly,
    CatalogTooNew,
    EarmarkError,
    TrackExists,
    TrackNotFound,
)
from earmark.types import Track

SETTINGS = Settings("shazam", {"density": "lean"}, "shazam/1/00", "postings")


def track(id="one", **changes):
    return replace(Track(id, "Title", "Artist", "Album", "a/b.mp3", 61.5, True, 17, {"genre": "Polka"}), **changes)


def content(id):
    return id.encode().ljust(32, b".")


def insert(store, id="one", packed=b"fingerprint" * 50):
    with store.transaction():
        return store.insert(track(id), content(id), packed)


@pytest.fixture
def store(tmp_path):
    store = SQLiteStore(tmp_path / "catalog.db")
    with store.transaction():
        store.write_settings(SETTINGS)
    yield store
    store.close()


def test_it_returns_what_was_kept(store):
    number = insert(store)
    assert store.settings() == SETTINGS
    assert store.recording(number) == Recording(number, content("one"), track())
    assert store.fingerprints([number])[number] == b"fingerprint" * 50
    assert store.number_of("one") == store.number_with(content("one")) == number
    assert store.count() == (1, 61.5)


def test_it_survives_being_closed(store, tmp_path):
    insert(store)
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.db"]
    again = SQLiteStore(tmp_path / "catalog.db")
    assert again.recording(1).track == track()
    again.close()


def test_a_path_that_is_no_text_comes_back_as_it_was(store):
    path = os.fsdecode(b"caf\xe9.wav")
    with store.transaction():
        number = store.insert(track(path=path), content("one"), b"")
    assert store.recording(number).track.path == path


def test_a_number_is_never_used_again(store):
    first = insert(store)
    with store.transaction():
        store.delete(first)
    assert insert(store) == first + 1
    assert store.removals(0) == [(1, first)]
    assert store.removals(1) == []


def test_what_is_deleted_is_gone_with_its_files_and_fingerprint(store):
    number = insert(store)
    with store.transaction():
        store.remember(File(b"/a/b.mp3", 10, 20, number))
        store.delete(number)
    assert store.file(b"/a/b.mp3") is None
    with pytest.raises(TrackNotFound):
        store.recording(number)
    assert store.fingerprints([number]) == {}


def test_an_unknown_id_is_named(store):
    with pytest.raises(TrackNotFound, match="'nothing'; `earmark list` shows"):
        store.number_of("nothing")


def test_an_id_belongs_to_one_track(store):
    insert(store, "one")
    two = insert(store, "two")
    with store.transaction(), pytest.raises(TrackExists, match="'one'"):
        store.insert(track("one"), content("three"), b"")
    with store.transaction(), pytest.raises(TrackExists, match="'one'"):
        store.change(two, track("one"))
    with store.transaction():
        store.change(two, track("two", title="Other"))
    assert store.recording(two).track.title == "Other"


def test_a_transaction_that_fails_changes_nothing(store):
    def break_off():
        with store.transaction():
            store.insert(track(), content("one"), b"")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert store.count() == (0, 0.0)
    insert(store)


def test_a_file_is_remembered_with_its_track(store):
    number = insert(store)
    file = File(b"/caf\xe9.wav", 10, 2**61, number)
    with store.transaction():
        store.remember(file)
    assert store.file(file.path) == file
    assert store.files(number) == [file]
    assert store.file(b"/other") is None


def test_all_rows_come_in_order_whatever_is_removed(store):
    with store.transaction():
        for n in range(1203):
            store.insert(track(f"t{n}"), content(f"t{n}"), b"%d" % n)
        store.delete(600)
    assert [recording.number for recording in store.recordings()] == [n for n in range(1, 1204) if n != 600]
    assert [packed for _, packed in store.fingerprints_after(1200)] == [b"1200", b"1201", b"1202"]


def test_a_reader_sees_what_a_writer_commits(store, tmp_path):
    reader = SQLiteStore(tmp_path / "catalog.db", read_only=True)
    assert reader.count()[0] == 0
    insert(store)
    assert reader.count()[0] == 1
    with pytest.raises(CatalogReadOnly), reader.transaction():
        pass
    reader.close()


def test_a_reader_needs_a_catalog(tmp_path):
    with pytest.raises(CatalogNotFound, match="earmark index"):
        SQLiteStore(tmp_path / "catalog.db", read_only=True)


def test_a_flipped_byte_of_a_fingerprint_is_noticed(store, tmp_path):
    insert(store, "one", b"\x5a" * 1000)
    insert(store, "two", b"\xa5" * 1000)
    store.close()
    damage(tmp_path / "catalog.db", b"\x5a" * 400, 100)
    store = SQLiteStore(tmp_path / "catalog.db")
    found = store.fingerprints([1, 2])
    assert isinstance(found[1], CatalogDamaged)
    assert "fingerprint of track 'one'" in str(found[1])
    assert "adding its file again heals it" in str(found[1])
    assert found[2] == b"\xa5" * 1000
    assert [type(packed) for _, packed in store.fingerprints_after(0)] == [CatalogDamaged, bytes]
    store.close()


def test_a_flipped_byte_of_a_row_is_noticed(store, tmp_path):
    insert(store, "one")
    insert(store, "two")
    store.close()
    damage(tmp_path / "catalog.db", b"two" + content("two"), 40)  # in the path
    store = SQLiteStore(tmp_path / "catalog.db")
    assert isinstance(list(store.recordings())[1], CatalogDamaged)
    with pytest.raises(CatalogDamaged, match="id 'two'"):
        store.recording(2)
    assert store.recording(1).track == track("one")
    store.close()


def test_flipped_bytes_anywhere_never_give_a_wrong_row(store, tmp_path):
    expected = {}
    with store.transaction():
        for n in range(40):
            number = store.insert(track(f"t{n}"), content(f"t{n}"), b"%d" % n * 300)
            expected[number] = (track(f"t{n}"), b"%d" % n * 300)
    store.close()
    path = tmp_path / "catalog.db"
    whole, chance = path.read_bytes(), random.Random(1)
    noticed = 0
    for _ in range(200):
        place = chance.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
        try:
            reader = SQLiteStore(path, read_only=True)
            try:
                found = {one.number: one.track for one in reader.recordings() if isinstance(one, Recording)}
                packed = {number: one for number, one in reader.fingerprints_after(0) if isinstance(one, bytes)}
                noticed += len(found) < len(expected) or len(packed) < len(expected)
                assert all(expected[number][0] == one for number, one in found.items())
                assert all(expected[number][1] == one for number, one in packed.items())
            finally:
                reader.close()
        except EarmarkError:
            noticed += 1
    assert noticed > 20


def damage(path, near, offset):
    whole = bytearray(path.read_bytes())
    place = whole.index(near) + offset
    whole[place] ^= 1
    path.write_bytes(whole)


def test_what_is_no_database_is_damage(tmp_path):
    (tmp_path / "catalog.db").write_bytes(b"not a database" * 1000)
    for read_only in (True, False):
        with pytest.raises(CatalogDamaged, match="not a database"):
            SQLiteStore(tmp_path / "catalog.db", read_only=read_only)


def test_another_programs_database_is_left_alone(tmp_path):
    path = tmp_path / "catalog.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (address TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(CatalogDamaged, match="not a catalog's database"):
        SQLiteStore(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(store, tmp_path):
    store.close()
    connection = sqlite3.connect(tmp_path / "catalog.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for read_only in (True, False):
        with pytest.raises(CatalogTooNew, match=r"schema 99.*use a newer earmark"):
            SQLiteStore(tmp_path / "catalog.db", read_only=read_only)


def test_a_copy_is_whole_while_others_write(store, tmp_path):
    insert(store)
    (tmp_path / "copy").mkdir()
    store.copy(tmp_path / "copy")
    copy = SQLiteStore(tmp_path / "copy" / "catalog.db", read_only=True)
    assert copy.settings() == SETTINGS
    assert copy.fingerprints([1])[1] == b"fingerprint" * 50
    assert copy.problems() == []
    copy.close()


def test_a_full_disk_is_said_and_may_be_tried_again(store):
    ((pages,),) = store._database.run("PRAGMA page_count")
    store._database.run(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(CatalogError, match="no space left on the disk; free some"):
        insert(store, "large", b"x" * 100_000)
    store._database.run("PRAGMA max_page_count = 1000000")
    insert(store, "large", b"x" * 100_000)


def test_it_says_when_it_is_closed(store):
    store.close()
    with pytest.raises(CatalogError, match="is closed; open it again"):
        store.count()


READ_AS_NOBODY = """
import os, sys
from pathlib import Path
from earmark.catalog.sqlite.store import SQLiteStore
from earmark.errors import CatalogError
if os.getuid() == 0:  # to whom permissions mean nothing
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    print(SQLiteStore(Path(sys.argv[1]), read_only=True).count()[0])
except CatalogError as error:
    print(error)
"""


@pytest.fixture
def public(tmp_path_factory):
    """A folder that other users can come to."""
    folder = tmp_path_factory.mktemp("public")
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.getuid() and parent.name.startswith(("public", "pytest-", "popen-")):
            parent.chmod(0o755)
    return folder


def read_as_nobody(path):
    done = subprocess.run([sys.executable, "-c", READ_AS_NOBODY, path], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr


def test_a_reader_works_where_nothing_can_be_written(store, tmp_path, public):
    insert(store)
    store.close()
    shutil.copy(tmp_path / "catalog.db", public)
    (public / "catalog.db").chmod(0o444)
    public.chmod(0o555)
    assert read_as_nobody(public / "catalog.db") == "1"
    public.chmod(0o755)


def test_a_log_that_cannot_be_read_back_is_not_passed_over(store, tmp_path, public):
    insert(store)
    for name in ("catalog.db", "catalog.db-wal"):
        shutil.copy(tmp_path / name, public)
        (public / name).chmod(0o444)
    public.chmod(0o555)
    assert "was not closed by its last writer and cannot be written to here" in read_as_nobody(public / "catalog.db")
    public.chmod(0o755)


KEEP_ADDING = """
import sys
from pathlib import Path
from earmark.catalog.sqlite.store import SQLiteStore
from earmark.types import Track
store = SQLiteStore(Path(sys.argv[1]))
number = store.count()[0]
while True:
    with store.transaction():
        number += 1
        store.insert(Track(str(number), "", "", "", "", 1.0), b"%032d" % number, bytes(5000))
    print(number, flush=True)
"""


def test_what_was_acknowledged_outlives_a_kill(tmp_path):
    path, acknowledged = tmp_path / "catalog.db", 0
    for run in range(5):
        with subprocess.Popen([sys.executable, "-c", KEEP_ADDING, path], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(20 + 13 * run):
                acknowledged = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout:
                acknowledged = int(line) if line.endswith(b"\n") else acknowledged
        reader = SQLiteStore(path, read_only=True)
        assert reader.count()[0] >= acknowledged
        assert reader.problems() == []
        reader.close()


def test_files_in_no_order_have_an_end(store, tmp_path):
    number = insert(store)
    store.close()
    for before, after in (("KEY,", "KEY DESC,"), ("KEY DESC,", "KEY,")):  # written downwards, to be read upwards
        connection = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
        connection.execute("PRAGMA writable_schema = ON")
        sql = "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'files'"
        connection.execute(sql, (before, after))
        connection.close()
        if after == "KEY DESC,":
            connection = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
            rows = [(path, 1, 1, number) for path in (b"/m/a", b"/m/b", b"/m/c")]
            connection.executemany("INSERT INTO files VALUES (?, ?, ?, ?)", rows)
            connection.close()
    reader = SQLiteStore(tmp_path / "catalog.db", read_only=True)
    with pytest.raises(CatalogDamaged, match="out of order"):
        list(itertools.islice(reader.files_below(b"/m"), 100))
    reader.close()


def test_what_is_said_of_damage_does_not_hold_a_name_of_megabytes(store, tmp_path):
    store.close()
    connection = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET name = hex(zeroblob(100000)) WHERE name = 'removals'")
    connection.close()
    with pytest.raises(CatalogDamaged) as raised:
        SQLiteStore(tmp_path / "catalog.db", read_only=True)
    assert len(str(raised.value)) < 1_000


@pytest.mark.parametrize("read_only", [True, False])
def test_a_schema_that_is_no_text_is_damage(store, tmp_path, read_only):
    """SQLite quotes it in a message that Python cannot read."""
    store.close()
    connection = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET name = CAST(x'dcff' AS TEXT), sql = 'CREATE' WHERE name = 'removals'")
    connection.close()
    with pytest.raises(CatalogDamaged, match="was changed by another program"):
        SQLiteStore(tmp_path / "catalog.db", read_only=read_only)
