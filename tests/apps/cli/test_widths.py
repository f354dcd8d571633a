"""On a terminal of any width no command breaks a line, shows a cell that says nothing, or a traceback."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.cells import cell_len

from earmark.apps.cli import main
from earmark.apps.cli.overview import COMMANDS
from earmark.apps.cli.table import draw

WIDTHS = (60, 80, 120, 200)


@contextmanager
def terminal(width: int) -> Iterator[Callable[[], str]]:
    """Make both outputs a terminal so wide; yields what ends it and returns all that was written to it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    parts: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                return
            if not part:
                return
            parts.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (open(theirs, "w", closefd=False) for _ in range(2))  # noqa: SIM115

    def end() -> str:
        sys.stdout.close()
        sys.stderr.close()
        sys.stdout, sys.stderr = before
        os.close(theirs)
        reader.join()
        os.close(ours)
        return b"".join(parts).decode()

    yield end


def commands(catalog: Path, clip: Path, folder: Path) -> dict[str, list[str]]:
    """Return a call of each command that prints something and takes no minutes."""
    where = ["--catalog", str(catalog)]
    return {
        "index": ["index", str(folder), *where],
        "index --dry-run": ["index", str(folder), *where, "--dry-run"],
        "identify": ["identify", str(clip), str(folder / "notes.wav"), *where, "--verbose"],
        "list": ["list", *where],
        "show": ["show", "almarza", *where],
        "list --missing": ["list", "--missing", *where],
        "remove": ["remove", "no such thing", *where],
        "prune": ["prune", "--dry-run", *where],
        "update": ["update", "no such thing", "--title", "x", *where],
        "info": ["info", *where],
        "verify": ["verify", *where],
        "duplicates": ["duplicates", *where],
        "rebuild": ["rebuild", *where],
        "export": ["export", str(catalog), *where],
        "merge": ["merge", str(catalog.parent / "none"), *where],
        "compare": ["compare", str(clip), str(folder / "notes.wav")],
        "evaluate": ["evaluate", str(catalog.parent / "none")],
        "frobnicate": ["frobnicate"],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder with quite a long name, as people give them" / "and one more below it"
    folder.mkdir(parents=True)
    (folder / "notes.wav").write_text("no sound at all " * 100)
    return folder


@pytest.mark.parametrize("width", WIDTHS)
def test_every_command_fits(width, catalog, music, cut, folder, monkeypatch):
    clip = cut(music[0], 3, 5)
    monkeypatch.delenv("COLUMNS", raising=False)
    for name, arguments in commands(catalog, clip, folder).items():
        with terminal(width) as end:
            main(arguments)
            shown = end()
        assert "Traceback" not in shown, name
        lines = shown.replace("\r\n", "\n").split("\n")
        if name in ("list", "list --missing"):
            assert max(map(cell_len, lines)) <= width, (name, lines)
            assert lines[-2].startswith(("4 tracks, ", "0 tracks, ")), name
        cells = {cell for line in lines for cell in line.split("  ")}
        assert not {"…", "..."} & {cell.strip() for cell in cells}, (name, lines)


@pytest.mark.parametrize("width", [30, 60, 80, 120, 200])
def test_a_table_is_as_wide_as_the_terminal_and_keeps_what_is_copied(width):
    columns = ("id", "length", "artist", "title", "path")
    rows = [
        (
            "61bf5f93431b77ce",
            "1:02:03.40",
            "Àlex Almarza",
            "Menu Background Music",
            "/home/me/Music/Amoebax/01 - Menu.opus",
        ),
        ("f1c750441cf98894", "0:30.00", "宇多田ヒカル", "First Love " * 9, "/home/me/" + "long/" * 40 + "end.mp3"),
    ]
    lines = draw(columns, rows, width)
    assert max(map(cell_len, lines)) <= width
    assert all(any(id in line for line in lines) for id in ("61bf5f93431b77ce", "f1c750441cf98894"))
    assert not any(cell.strip() == "…" for line in lines for cell in line.split("  "))
    assert any("end.mp3" in line or line.strip() == "3" for line in lines)


def test_a_column_without_anything_is_left_out():
    assert draw(("id", "artist", "path"), [("a", "", "/x")], 80)[0].split() == ["id", "path"]


@pytest.mark.parametrize("width", WIDTHS)
def test_help_fits(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    for name in COMMANDS:
        with terminal(width) as end:
            main([*name.split(), "--help"])
            shown = end()
        assert "Traceback" not in shown
