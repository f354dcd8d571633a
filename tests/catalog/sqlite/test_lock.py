"""One writer at a time, whatever becomes of it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from earmark.catalog.sqlite.lock import WriterLock
from earmark.errors import CatalogError, CatalogLocked

HOLDER = """
import sys, time
from pathlib import Path
from earmark.catalog.sqlite.lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_the_second_is_told_who_holds_it(tmp_path):
    lock = WriterLock(tmp_path / "writer.lock")
    with pytest.raises(CatalogLocked, match=f"process {os.getpid()} on {socket.gethostname()}.*read_only=True"):
        WriterLock(tmp_path / "writer.lock")
    lock.release()
    lock.release()
    WriterLock(tmp_path / "writer.lock").release()


def test_it_is_free_when_its_holder_was_killed(tmp_path):
    path = tmp_path / "writer.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(CatalogLocked, match=f"process {holder.pid} "):
            WriterLock(path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    WriterLock(path).release()


def test_of_many_at_the_same_moment_one_wins(tmp_path):
    def take(_):
        try:
            return WriterLock(tmp_path / "writer.lock")
        except CatalogLocked:
            return None

    for _ in range(50):
        with ThreadPoolExecutor(8) as pool:
            locks = [lock for lock in pool.map(take, range(8)) if lock]
        assert len(locks) == 1
        locks[0].release()


def test_it_says_when_the_folder_cannot_be_written_to(tmp_path):
    with pytest.raises(CatalogError, match="No such file or directory; open the catalog with read_only=True"):
        WriterLock(tmp_path / "absent" / "writer.lock")


TAKEN = """
import sys
from pathlib import Path
from earmark.catalog.sqlite.lock import WriterLock
from earmark.errors import EarmarkError
try:
    WriterLock(Path(sys.argv[1])).release()
    print("released")
except EarmarkError as error:
    print(f"{type(error).__name__}: {error}")
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(("call", "said"), [(1, "CatalogError: .* cannot be locked"), (2, "released")])
def test_a_disk_that_fails_is_no_other_writer_and_hinders_no_release(tmp_path, call, said):
    path = tmp_path / "writer.lock"
    rule = f"inject=flock:error=EIO:when={call}"
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=flock", "-e", rule, sys.executable, "-c", TAKEN]
    done = subprocess.run([*command, path], capture_output=True, text=True, check=True)
    assert re.match(said, done.stdout)
    WriterLock(path).release()
