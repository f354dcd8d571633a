"""Let every file call of a writer fail with EIO, then with ENOSPC; print what was lost (nothing). Needs strace.

    python benchmarks/failing_calls.py [--every 1]

A child, of a parent that has loaded everything, removes a track, makes the index again and exports; strace lets its
n-th call of a kind fail, for every n. Exit status 1: a crash, an error that is not earmark's, or a track lost.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import suppress
from pathlib import Path

import earmark

MUSIC = Path(__file__).parent.parent / "src" / "earmark" / "apps" / "demo" / "music"
TRACKS = 3
WRITING = ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "mkdir", "mkdirat", "rmdir", "flock", "fcntl")
NAMING = ("rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat")
READING = ("openat", "read", "pread64", "mmap", "fstat", "newfstatat", "lseek", "getdents64")
CALLS = (*WRITING, *NAMING, *READING)
OURS, FOREIGN = 0, 3  # exit statuses of a child


def changed(folder: Path) -> None:
    """Remove a track, make the index again, and copy the catalog."""
    with earmark.open(folder) as catalog:
        catalog.remove(catalog.tracks()[0].id)
        catalog.rebuild()
        catalog.export(folder.parent / "copy.earmark")


def child_of(folder: Path, go: int) -> int:
    """Fork a child that changes a catalog when something comes through a pipe; return its number."""
    child = os.fork()
    if child:
        return child
    status = FOREIGN
    try:
        os.read(go, 1)
        with suppress(earmark.EarmarkError):
            changed(folder)
        status = OURS
    except BaseException:
        with suppress(BaseException):
            traceback.print_exc()
    os._exit(status)


def traced(folder: Path, log: Path, rules: list[str]) -> int:
    """Change a catalog in a child under strace; return its status as `waitpid` does."""
    receive, send = os.pipe()
    child = child_of(folder, receive)
    command = ["strace", "-f", "-qq", "-o", str(log), "-p", str(child), *rules]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as tracer:
        while f"TracerPid:\t{tracer.pid}" not in Path(f"/proc/{child}/status").read_text():
            if tracer.poll() is not None:
                os.kill(child, signal.SIGKILL)
                raise RuntimeError("strace cannot attach; it needs the right to trace")
            time.sleep(0.002)
        os.write(send, b"!")
        _, status = os.waitpid(child, 0)
    os.close(receive)
    os.close(send)
    return status


def problems_of(folder: Path, before: list[str], clips: dict[str, earmark.Fingerprint]) -> list[str]:
    """Return what is wrong with a catalog after a fault: a track that is lost, or one that is not found."""
    found = []
    with earmark.open(folder, read_only=True) as catalog:
        ids = [track.id for track in catalog.tracks()]
        if ids not in (before, before[1:]):
            found.append(f"tracks {ids}")
        for id in ids:
            best = catalog.identify(clips[id]).best
            if best is None or best.track.id != id:
                found.append(f"{id} is not found")
    with earmark.open(folder) as catalog:
        found += catalog.verify().problems
    copy = folder.parent / "copy.earmark"
    if copy.exists():
        with earmark.open(copy, read_only=True) as catalog:
            found += catalog.verify().problems
        shutil.rmtree(copy)
    return found


def main() -> int:
    """Run an unharmed one, then one for each fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="only each so manieth call")
    parser.add_argument("--first", type=int, default=0, help="number of the fault to go on from")
    options = parser.parse_args()
    ended, bad = Counter[str](), list[str]()
    with tempfile.TemporaryDirectory(prefix="earmark-calls-") as scratch:
        whole, folder, log = (Path(scratch) / name for name in ("whole.earmark", "music.earmark", "calls.txt"))
        with earmark.open(whole, fingerprinter="shazam") as catalog:
            catalog.add(sorted(MUSIC.glob("*.opus"))[:TRACKS], workers=1)
            prints = {track.id: one for track, one in catalog.fingerprints()}
        before = list(prints)
        clips = {id: earmark.Fingerprint(one.spec, 6.0, one.between(3.0, 9.0).layers) for id, one in prints.items()}
        shutil.copytree(whole, folder)
        changed(folder)  # here, so that no child loads a module
        for path in (folder, folder.parent / "copy.earmark"):
            shutil.rmtree(path)
        shutil.copytree(whole, folder)
        traced(folder, log, ["-e", f"trace={','.join(CALLS)}"])
        calls = Counter(line.split()[1].partition("(")[0] for line in log.read_text().splitlines() if "(" in line)
        print("calls of an unharmed run:", dict(calls), flush=True)
        faults = [(name, n, error) for name in CALLS for n in range(1, calls[name] + 1) for error in ("EIO", "ENOSPC")]
        for at in range(options.first, len(faults), options.every):
            name, number, error = faults[at]
            if at % 100 == 0:
                print(f"{at} of {len(faults)}, {len(bad)} problems", flush=True)
            for path in (folder, folder.parent / "copy.earmark"):
                shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(whole, folder)
            rules = ["-e", f"trace={name}", "-e", f"inject={name}:error={error}:when={number}"]
            status = traced(folder, log, rules)
            what = f"{name} number {number} failed with {error}"
            ended[str(os.waitstatus_to_exitcode(status))] += 1
            if status:
                bad.append(f"{what}: status {os.waitstatus_to_exitcode(status)}")
            bad += [f"{what}: {problem}" for problem in problems_of(folder, before, clips)]
    print(f"{ended.total()} faults, ended with {dict(ended)}; {len(bad)} problems")
    for line in bad:
        print(line)
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
