"""Forged catalogs and index files, checksums right: what opening, asking, checking and copying each of them comes to.

    python benchmarks/forged_catalogs.py [--catalogs 500] [--files 1200]

A catalog of the bundled music has rows, settings, schema, pages, plays or arrays changed at random; a child reads it,
then writes. Exit status 1: a crash, an error not of earmark, over 1 GB, over 10 s, or a canary outside that changed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

import earmark
from earmark.catalog.local.durable import DATABASE, PLAYS
from earmark.catalog.local.generations import Generations
from earmark.catalog.plays import HeardSound, Play, PlayedTrack

MUSIC = Path(__file__).parent.parent / "src" / "earmark" / "apps" / "demo" / "music"
TRACKS = 6
INDEXES = ("both", "linear", "lsh", "pq", "hnsw")  # of which index files are forged
SMALLEST = 200  # vectors from which on an index gets its structure here; with 10,000 six tracks would have none
MOST_BYTES, MOST_SECONDS = 1 << 30, 10.0  # of a child
ENDED_SECONDS = 60  # seconds of the processor after which a child is ended
CANARY = b"the user's own file\n" * 100
NUMBERS = (0, 1, -1, 2**31 - 1, 2**31, 2**62, -(2**63))
VALUES: tuple[Any, ...] = (
    None,
    "",
    "x" * 100_000,
    b"",
    b"\xff" * 1_000,
    0,
    -1,
    2**62,
    float("inf"),
    -1e300,
    "\0",
    "../x",
)
TABLES = ("tracks", "fingerprints", "files", "removals", "settings", "sqlite_sequence")
SCHEMAS = (
    "CREATE VIEW v AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n",
    "CREATE TRIGGER t AFTER DELETE ON tracks BEGIN DELETE FROM tracks; END",
    "CREATE TABLE more (x)",
    "CREATE INDEX i ON tracks (abs(number))",
    "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'removals') "
    "WHERE name = 'fingerprints'",
    "UPDATE sqlite_master SET sql = replace(sql, 'BLOB', 'TEXT')",
)

HEADERS = (None, None, "{[]: 1}", "{'descr': ('", "-" * 100, "{'descr': ',,', 'fortran_order': 0, 'shape': (1,)}", "\\")

Chance = random.Random
Forgery = Callable[[Path, Chance], str]


def another_row(folder: Path, chance: Chance) -> str:
    """Change values of a row, and make its checksum hold."""
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    table = chance.choice(TABLES)
    connection.row_factory = sqlite3.Row
    rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    if not rows:
        rows = [{"sequence": 1, "track": 1}]
    row = dict(chance.choice(rows))
    key = next(iter(row))
    said = []
    for name in chance.sample(list(row), min(len(row), chance.choice((1, 1, 2)))):
        said.append(f"{table}.{name}")
        row[name] = chance.choice((chance.choice(VALUES), mutated(row[name], chance)))
    if table == "tracks":
        values = [row[name] for name in row if name not in ("number", "checksum")]
        with suppress(Exception):
            row["checksum"] = zlib.crc32(msgspec.msgpack.encode(values))
    if table == "settings" and isinstance(row["value"], bytes):
        row["checksum"] = zlib.crc32(row["value"])
    if table == "fingerprints" and isinstance(row["packed"], bytes):
        for (content,) in connection.execute("SELECT content FROM tracks WHERE number = ?", (row["track"],)):
            row["checksum"] = zlib.crc32(row["packed"], zlib.crc32(content))
    columns = ", ".join(f"{name} = ?" for name in row)
    with suppress(sqlite3.Error):
        connection.execute(f"UPDATE {table} SET {columns} WHERE {key} = ?", (*row.values(), row[key]))
    connection.close()
    return ", ".join(said)


def bomb(folder: Path, chance: Chance) -> str:
    """Put a fingerprint that claims, or unpacks to, far more than it is in the place of each."""
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    rows = connection.execute("SELECT track, packed, content FROM fingerprints, tracks WHERE number = track").fetchall()
    for track, packed, content in rows:
        spec, seconds, first, hop, places, body, peaks, *form = msgspec.msgpack.decode(packed)
        own = msgspec.msgpack.decode(peaks)
        frames = chance.choice((1 << 20, 1 << 25, (1 << 26) - 64, 1 << 40))
        bytes_each = min(frames, 1 << 26)
        kind = chance.randrange(7)
        if kind == 0:
            own = [own[0], 1e9, frames, 0, zlib.compress(bytes(bytes_each), 9), b""]
        elif kind == 1:
            own[5], own[1] = zlib.compress(bytes(1 << 28), 9), 1e9
        elif kind == 2:
            first, hop, places = chance.choice(NUMBERS), chance.choice(NUMBERS), chance.choice(NUMBERS)
        elif kind == 3:
            own[chance.randrange(1, 4)] = chance.choice(NUMBERS)
        elif kind == 4:
            own[1:5] = [1e9, 0, 0, zlib.compress(bytes(bytes_each), 9)]
        elif kind == 5:
            frames = 1 << 14
            peaks = 255 * frames
            body = zlib.compress(b"\xff" * frames + bytes(peaks) + b"\x24" * ((3 * peaks + 7) // 8), 9)
            own[1:5] = [1e9, frames, peaks, body + bytes(peaks // 3)]
        else:
            seconds = chance.choice((float("nan"), float("inf"), -1.0, 1e300))
        values = (spec, seconds, first, hop, places, body, msgspec.msgpack.encode(own), *form)
        forged = msgspec.msgpack.encode(values)
        checksum = zlib.crc32(forged, zlib.crc32(content))
        sql = "UPDATE fingerprints SET packed = ?, checksum = ? WHERE track = ?"
        connection.execute(sql, (forged, checksum, track))
    connection.close()
    return "rows that unpack to much"


def another_schema(folder: Path, chance: Chance) -> str:
    """Change the schema."""
    statement = chance.choice(SCHEMAS)
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    with suppress(sqlite3.Error):
        connection.execute(statement)
    connection.close()
    return statement[:30]


def other_pages(folder: Path, chance: Chance) -> str:
    """Change bytes of the database, or copy one page over another."""
    path = folder / DATABASE
    content = bytearray(path.read_bytes())
    page = 4096
    if chance.random() < 0.5:
        for _ in range(chance.choice((1, 4, 64))):
            content[chance.randrange(len(content))] = chance.randrange(256)
    else:
        source, target = (page * chance.randrange(1, len(content) // page) for _ in range(2))
        content[target : target + page] = content[source : source + page]
    path.write_bytes(content)
    return "pages"


def other_settings(folder: Path, chance: Chance) -> str:
    """Change what the catalog was made with."""
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    ((value,),) = connection.execute("SELECT value FROM settings").fetchall()
    settings = msgspec.json.decode(value)
    model = chance.choice(("/dev/zero", "/dev/stdin", "/etc", str(folder / "pipe"), "../x", "", 5, None, ["x"]))
    os.mkfifo(folder / "pipe")
    settings[chance.choice(("fingerprinter", "spec", "index"))] = chance.choice(("neural", "shazam", "x", "a/b/c", ""))
    settings["preset"] = chance.choice(({"model": model}, {"model": model}, {"peaks": "x"}, {"density": []}, {"": {}}))
    packed = msgspec.json.encode(settings)
    connection.execute("UPDATE settings SET value = ?, checksum = ?", (packed, zlib.crc32(packed)))
    connection.close()
    return f"settings {settings['preset']}"


def other_plays(folder: Path, chance: Chance) -> str:
    """Keep plays, sound and a message, and change one of their rows."""
    with earmark.open(folder, read_only=True) as catalog:
        track = PlayedTrack("id", "Title", "Artist", "Album", "a.flac", 100.0)
        for start in range(10):
            times = float(start), start + 1.0
            catalog.plays.save(Play("one", track, *times, 0.0, 1.0, 2.0, 0.5, 0.9, "accepted", "foreground", False))
        catalog.plays.keep(HeardSound("one", 0.0, 9.0, b"sound"))
        catalog.plays.queue("https://example.org", b"{}")
    connection = sqlite3.connect(folder / PLAYS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    table = chance.choice(("plays", "heard", "deliveries"))
    row = dict(chance.choice(connection.execute(f"SELECT * FROM {table}").fetchall()))
    number, name = row["number"], chance.choice([name for name in row if name != "number"])
    value = chance.choice((*VALUES, *NUMBERS, mutated(row[name], chance)))
    if name == "body" and table == "plays":
        play = msgspec.json.decode(row["body"])
        play[chance.choice(list(play))] = chance.choice((None, "", -1, 1e300, [], {}, "x" * 100_000))
        value = msgspec.json.encode(play)
    with suppress(sqlite3.Error):
        connection.execute(f"UPDATE {table} SET {name} = ? WHERE number = ?", (value, number))
    if isinstance(value, bytes) and name in ("body", "packed") and table != "deliveries":
        connection.execute(f"UPDATE {table} SET checksum = ? WHERE number = ?", (zlib.crc32(value), number))
    connection.close()
    return f"{table}.{name}"


def link(folder: Path, chance: Chance) -> str:
    """Put a link, or a pipe, in the place of a file or folder of the catalog."""
    places = [*folder.rglob("*"), *(folder / name for name in ("quarantine", "CURRENT.tmp", "calibration.json"))]
    place = chance.choice(places)
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    if chance.random() < 0.2:
        os.mkfifo(place)
    else:
        outside = folder.parent / "outside"
        place.symlink_to(chance.choice((outside, outside / "song.flac", outside / "absent", Path("/dev/zero"))))
    return f"link {place.name}"


def other_arrays(folder: Path, chance: Chance) -> str:
    """Change arrays of the index, and make all checksums hold."""
    from earmark.index.segment import VectorSegment, checksum

    generations = Generations(folder)
    generation = generations.load()
    assert generation is not None
    arrays = {name: np.array(array) for name, array in generation.arrays.items()}
    if chance.random() < 0.1:
        return other_header(folder, chance)
    said = []
    for _ in range(chance.choice((1, 1, 2))):
        name = chance.choice(list(arrays))
        said.append(name.rpartition(".")[2])
        arrays[name] = forged_array(arrays[name], chance)
    for segment in {name.rpartition(".")[0] for name in arrays}:
        own = {name.rpartition(".")[2]: one for name, one in arrays.items() if name.rpartition(".")[0] == segment}
        parts = {name: one for name, one in own.items() if not name.startswith(("removed-", "digest"))}
        if set(VectorSegment.ARRAYS) <= set(parts):
            arrays[f"{segment}.digest"] = np.frombuffer(checksum(parts), np.uint8)
    known = {name: getattr(generation.manifest, name) for name in ("spec", "index", "last_track", "last_removal")}
    if chance.random() < 0.1:
        known[chance.choice(("last_track", "last_removal"))] = chance.choice(NUMBERS)
        said.append("manifest")
    shutil.rmtree(folder / "generations")
    generations.publish(arrays, **known)
    return f"{generation.manifest.index}: {', '.join(said)}"


def other_header(folder: Path, chance: Chance) -> str:
    """Change the text that an array's file begins with, and make all checksums hold."""
    (generation,) = (folder / "generations").iterdir()
    manifest = msgspec.json.decode((generation / "manifest.json").read_bytes())
    entry = chance.choice(manifest["files"])
    path = generation / f"{entry['name']}.npy"
    content = path.read_bytes()
    size = int.from_bytes(content[8:10], "little")
    text = chance.choice(HEADERS)
    changed = mutated(content[10 : 10 + size], chance) if text is None else text.encode()
    changed = changed[:size].ljust(size)
    path.write_bytes(content[:10] + changed + content[10 + size :])
    entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    packed = msgspec.json.encode(manifest)
    (generation / "manifest.json").write_bytes(packed)
    (folder / "CURRENT").write_text(f"{generation.name} {hashlib.sha256(packed).hexdigest()}\n")
    return f"header {changed[:20]!r}"


def forged_array(array: NDArray[Any], chance: Chance) -> NDArray[Any]:
    """Return an array of other numbers, another size, type or shape."""
    kind = chance.randrange(7)
    if kind == 0:
        return array[: chance.randrange(len(array) + 1)]
    if kind == 1:
        return np.concatenate([array, array])
    if kind == 2:
        return array.astype(chance.choice((np.int8, np.float64, np.uint64, np.bool_)))
    if kind == 3:
        return array.reshape(-1) if array.ndim > 1 else array[:, None]
    if kind == 4:
        return np.zeros(chance.choice(((1 << 27,), (1 << 24, 3), (0,), (1 << 20, 128))), array.dtype)
    changed = array.copy()
    flat = changed.reshape(-1)
    if flat.size and array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        places = [chance.randrange(flat.size) for _ in range(chance.choice((1, 8, 200)))] if kind == 5 else slice(None)
        flat[places] = chance.choice((limits.max, limits.min, limits.max // 2, 0))
    elif flat.size:
        flat[chance.randrange(flat.size)] = chance.choice((np.nan, np.inf, 0.0, 1e38))
    return changed


def mutated(value: Any, chance: Chance) -> Any:
    """Return a value a little changed."""
    if isinstance(value, bytes) and value:
        changed = bytearray(value)
        for _ in range(chance.choice((1, 4, 32))):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        return bytes(changed[: chance.choice((len(changed), chance.randrange(len(changed) + 1)))])
    if isinstance(value, int):
        return chance.choice(NUMBERS[:-1])
    return value


CATALOGS: tuple[Forgery, ...] = (another_row, another_row, bomb, another_schema, other_pages, other_settings, link)
PLAYED: tuple[Forgery, ...] = (bomb, other_plays)  # further ones, which came later


def used(folder: Path, clip: earmark.Fingerprint) -> None:
    """Do with a catalog what anybody does."""
    for read_only in (True, False):
        with suppress(earmark.EarmarkError), earmark.open(folder, read_only=read_only) as catalog:
            actions: list[Callable[[], object]] = [
                catalog.tracks,
                catalog.info,
                lambda: catalog.identify(clip),
                catalog.verify,
                lambda: list(catalog.plays.find()),
                lambda: list(catalog.plays.heard()),
                lambda: catalog.plays.deliveries(1e9),
                catalog.plays.stations,
                lambda: catalog.export(folder.parent / "copy.earmark"),
            ]
            if not read_only:
                actions += [lambda: catalog.remove(catalog.tracks()[0].id), catalog.rebuild]
            for action in actions:
                with suppress(earmark.EarmarkError, IndexError):
                    action()
        shutil.rmtree(folder.parent / "copy.earmark", ignore_errors=True)
    with suppress(earmark.EarmarkError), earmark.open(folder.parent / "own.earmark") as own:
        own.merge(folder)


def outcome(folder: Path, clip: earmark.Fingerprint) -> tuple[str, float, int]:
    """Use a catalog in a child; return (what came of it, processor's seconds, bytes of memory beyond the start's)."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (ENDED_SECONDS, ENDED_SECONDS))
        status = 0
        try:
            used(folder, clip)
        except BaseException:
            traceback.print_exc()
            status = 3
        sys.stderr.flush()
        os._exit(status)
    _, status, usage = os.wait4(child, 0)
    took = usage.ru_utime + usage.ru_stime
    said = "ours" if status == 0 else "foreign error" if os.WIFEXITED(status) else signal.Signals(status & 127).name
    return said, took, max(usage.ru_maxrss - before, 0) * 1024


def state(folder: Path) -> list[tuple[str, bytes]]:
    """Return what is outside the catalogs."""
    return sorted((os.fspath(path), path.read_bytes()) for path in folder.rglob("*") if path.is_file())


def main() -> int:
    """Forge, use, and say what was not as it has to be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalogs", type=int, default=500)
    parser.add_argument("--more", type=int, default=100, help="bombs and plays")
    parser.add_argument("--files", type=int, default=1_200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number to go on from")
    options = parser.parse_args()
    bad, outcomes, worst_seconds, worst_bytes = list[str](), Counter[str](), 0.0, 0
    with tempfile.TemporaryDirectory(prefix="earmark-forged-") as scratch:
        rooms = made(Path(scratch))
        with earmark.open(rooms["both"], read_only=True) as catalog:
            clip = next(iter(catalog.fingerprints()))[1].between(3.0, 8.0)
            clip = earmark.Fingerprint(clip.spec, clip.seconds, clip.layers)
        with earmark.open(rooms["both"], read_only=True) as catalog:  # so that no child loads a network
            catalog.identify(clip)
        plan = [(CATALOGS[n % len(CATALOGS)], "both") for n in range(options.catalogs)]
        plan += [(PLAYED[n % len(PLAYED)], "both") for n in range(options.more)]
        plan += [(other_arrays, INDEXES[n % len(INDEXES)]) for n in range(options.files)]
        began = time.perf_counter()
        for number, (forgery, index) in list(enumerate(plan))[options.first :]:
            trial = Path(scratch) / "trial"
            shutil.copytree(rooms[index].parent, trial)
            shutil.copytree(rooms["linear"], trial / "own.earmark")
            said = forgery(trial / "music.earmark", random.Random(f"{options.seed} {number}"))
            before = state(trial / "outside")
            what, seconds, size = outcome(trial / "music.earmark", clip)
            outcomes[what] += 1
            worst_seconds, worst_bytes = max(worst_seconds, seconds), max(worst_bytes, size)
            is_changed = state(trial / "outside") != before
            if what != "ours" or seconds > MOST_SECONDS or size > MOST_BYTES or is_changed:
                bad.append(f"{number}: {said}: {what}, {seconds:.1f} s, {size >> 20} MB, outside changed: {is_changed}")
                print(bad[-1], flush=True)
            if number % 100 == 99:
                print(f"{number + 1} of {len(plan)}, {time.perf_counter() - began:.0f} s", flush=True)
            shutil.rmtree(trial)
    print(
        f"{outcomes.total()} forged: {dict(outcomes)}; at most {worst_seconds:.1f} s of the processor and "
        f"{worst_bytes >> 20} MB; {len(bad)} not as they have to be"
    )
    return bool(bad)


def made(scratch: Path) -> dict[str, Path]:
    """Return a catalog with each index, every one in a folder with something of the user's beside it."""
    from earmark.index import ENGINES, Engine

    for name in ("lsh", "pq", "hnsw"):
        engine = ENGINES[name]
        ENGINES[name] = Engine(engine.module, engine.kind, engine.metric, {"smallest": SMALLEST})
    rooms = {}
    for index in INDEXES:
        room = scratch / index
        (room / "outside").mkdir(parents=True)
        for name in ("song.flac", "manifest.json"):
            (room / "outside" / name).write_bytes(CANARY)
        rooms[index] = room / "music.earmark"
        if index == "both":
            with earmark.open(rooms[index]) as catalog:
                catalog.add(sorted(MUSIC.glob("*.opus"))[:TRACKS], workers=1)
        else:
            with earmark.open(rooms["both"], read_only=True) as first:
                first.export(rooms[index])
            with earmark.open(rooms[index]) as catalog:
                catalog.rebuild(index)
    return rooms


if __name__ == "__main__":
    sys.exit(main())
