"""No command opens a connection, or writes anywhere but to the catalog, what it is told to write, and TMPDIR."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.apps.cli.test_main import EARMARK
from tests.apps.cli.test_train import TINY

from earmark.apps.cli.overview import COMMANDS

STRACE = shutil.which("strace")
CALLS = "socket,open,openat,openat2,creat,truncate,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat,"
CALLS += "symlink,symlinkat,unlink,unlinkat,rmdir,chmod,fchmodat,utimensat"
INTERNET = re.compile(r"\b(AF_(?!UNIX|LOCAL|UNSPEC)\w+)")
WRITES = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC)")
PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')  # -y: descriptors with what they stand for
NO_FILES = ("/dev/null", "/dev/shm/sem.")  # of multiprocessing: a semaphore that is unlinked as soon as it is made
LEFT = ("torchinductor_",)  # an empty folder of torch's, which only training loads
QUICK = ("--snr", "5", "--t60", "0", "--seconds", "2", "--count", "2", "--workers", "1")

ARGUMENTS: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "index": lambda folder: (folder / "music", "--catalog", folder / "new.earmark"),
    "identify": lambda folder: (folder / "music", folder / "music/clip.opus", "--catalog", folder / "catalog"),
    "monitor": lambda folder: (folder / "music/clip.opus", "--catalog", folder / "catalog", "--keep-sound", "1"),
    "plays": lambda folder: ("--catalog", folder / "catalog", "--report", folder / "report.html"),
    "rescan": lambda folder: ("--catalog", folder / "catalog"),
    "compare": lambda folder: (folder / "music/clip.opus", folder / "music/clip.opus"),
    "duplicates": lambda folder: (folder / "catalog",),
    "repeats": lambda folder: (folder / "music/clip.opus", folder / "music/clip.opus"),
    "list": lambda folder: ("--catalog", folder / "catalog"),
    "show": lambda folder: ("0" * 16, "--catalog", folder / "catalog"),
    "update": lambda folder: ("0" * 16, "--title", "new", "--catalog", folder / "catalog"),
    "remove": lambda folder: ("0" * 16, "--catalog", folder / "catalog"),
    "prune": lambda folder: ("--dry-run", "--catalog", folder / "catalog"),
    "export": lambda folder: (folder / "exported", "--catalog", folder / "catalog"),
    "merge": lambda folder: (folder / "other", "--catalog", folder / "catalog"),
    "info": lambda folder: ("--catalog", folder / "catalog"),
    "verify": lambda folder: ("--catalog", folder / "catalog"),
    "rebuild": lambda folder: ("--catalog", folder / "catalog"),
    "plot": lambda folder: (folder / "music/clip.opus", "--out", folder / "plot.png"),
    "demo": lambda folder: ("--out", folder / "demo.png"),
    "evaluate": lambda folder: (folder / "unknown", *QUICK, "--held-out", "0.34", "--out", folder / "runs"),
    "evaluate indexes": lambda folder: (
        folder / "catalog", *("--count", "3", "--snr", "5", "--seconds", "3", "--index", "auto"), "--out", folder,
    ),
    "calibrate": lambda folder: (
        folder / "catalog", *("--snr", "5,0", "--t60", "0", "--count", "4", "--workers", "1", "--most-false", "0.3"),
        *("--unknown-music", folder / "unknown"),
    ),
    "train": lambda folder: (
        *("--config", folder / "tiny.toml", "--data", folder / "unknown", "--out", folder / "run", "--device", "cpu"),
    ),
    "serve keys": lambda folder: ("--add", "me", "--keys", folder / "keys.json"),
    "doctor": lambda folder: ("--catalog", folder / "catalog"),
    "completion": lambda folder: ("bash",),
}  # fmt: skip


@pytest.fixture
def folder(indexed: Path, music: list[Path], tmp_path: Path) -> Path:
    """What commands may write to, with the music and the catalog that they read; `home` lies beside it."""
    folder = tmp_path / "folder"
    (folder / "temporary").mkdir(parents=True)
    (folder / "music").mkdir()
    shutil.copy(music[0], folder / "music" / "clip.opus")
    (folder / "unknown").mkdir()
    for path in music[8:11]:
        shutil.copy(path, folder / "unknown")
    shutil.copytree(indexed, folder / "catalog")
    shutil.copytree(indexed, folder / "other")
    (folder / "tiny.toml").write_text(TINY.replace("batch = 6", "batch = 2"))
    (tmp_path / "home").mkdir()
    return folder


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_command_opens_no_connection_and_writes_nothing_outside(name: str, folder: Path) -> None:
    trace = folder / "trace"
    watched = [str(STRACE), "-f", "-y", "-qq", "--seccomp-bpf", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(trace)]
    command = [*watched, *EARMARK, *name.split(), *map(str, ARGUMENTS[name](folder))]
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "PYTHONPATH", "OPENBLAS_NUM_THREADS")}
    kept["PYTHONDONTWRITEBYTECODE"] = "1"  # pip compiles what it installs; a checkout is compiled as it runs
    bare = {**kept, "HOME": str(folder.parent / "home"), "TMPDIR": str(folder / "temporary")}
    done = subprocess.run(command, env=bare, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1, 3), done.stderr
    assert "Traceback" not in done.stderr
    calls = trace.read_text()
    assert "openat(" in calls, "the command was not watched"
    assert INTERNET.findall("\n".join(line for line in calls.splitlines() if "socket(" in line)) == []
    assert [path for path in written(calls) if not allowed(path, folder)] == []
    assert list((folder.parent / "home").iterdir()) == []
    left = [path.name for path in (folder / "temporary").iterdir()]
    assert [name for name in left if not name.startswith(LEFT)] == [], "temporary files are left behind"


def test_every_command_is_watched_but_those_that_need_a_microphone_or_answer_the_network() -> None:
    assert COMMANDS.keys() - ARGUMENTS.keys() == {"listen", "serve"}


def written(calls: str) -> Iterator[str]:
    """Yield the absolute path of everything that was opened for writing, made, changed or removed."""
    for line in calls.splitlines():
        if " = -1 " in line or (re.search(r" open(at2?)?\(", line) and not WRITES.search(line)) or "socket(" in line:
            continue
        for folder, name in PATH.findall(line):
            yield os.path.normpath(Path(folder or "/unknown", name))


def allowed(path: str, folder: Path) -> bool:
    return Path(path).is_relative_to(folder) or path.startswith(NO_FILES)


def test_a_trace_is_understood(tmp_path: Path) -> None:
    calls = """\
7 openat(AT_FDCWD</work>, "read.txt", O_RDONLY|O_CLOEXEC) = 3</work/read.txt>
7 openat(AT_FDCWD</work>, "write.txt", O_WRONLY|O_CREAT, 0666) = 3</work/write.txt>
7 openat(9</home/cache>, "deviceid", O_RDWR <unfinished ...>
7 mkdirat(AT_FDCWD</work>, "/home/cache", 0777) = 0
7 rename("/a", "/b") = 0
7 unlink("gone") = -1 ENOENT (No such file or directory)
"""
    assert list(written(calls)) == ["/work/write.txt", "/home/cache/deviceid", "/home/cache", "/a", "/b"]
