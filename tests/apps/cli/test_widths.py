"""On a terminal of any width no command breaks a line, shows a cell that says nothing, or a traceback."""

from __future__ import annotations

import fcntl
import os
import pty
import re
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
from earmark.apps.cli.commands import calibrate, demo, duplicates, plays, repeats
from earmark.apps.cli.overview import COMMANDS
from earmark.apps.cli.table import draw
from earmark.evaluation import comparison, report
from earmark.evaluation.indexes import report as indexes
from earmark.evaluation.scenes import report as scenes

WIDTHS = (60, 80, 120, 200)
# Calls that print sentences, whatever the width, and take a second or more: tried where there is least room.
SLOW = ("identify --explain", "repeats", "compare", "plot", "serve", "doctor")


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
    """Return calls of every command; those that take minutes are called so that they refuse."""
    where, none = ["--catalog", str(catalog)], str(catalog.parent / "none")
    return {
        "index": ["index", str(folder), *where],
        "index --dry-run": ["index", str(folder), *where, "--dry-run"],
        "identify": ["identify", str(clip), str(folder / "notes.wav"), *where, "--verbose"],
        "identify --explain": ["identify", str(clip), *where, "--several", "--explain"],
        "listen": ["listen", *where, "--device", "no such device"],
        "monitor": ["monitor", str(clip), *where, "--name", "A station with a long name, as stations have"],
        "plays": ["plays", *where],
        "rescan": ["rescan", *where],
        "list": ["list", *where],
        "show": ["show", "almarza", *where],
        "list --missing": ["list", "--missing", *where],
        "remove": ["remove", "no such thing", *where],
        "prune": ["prune", "--dry-run", *where],
        "update": ["update", "no such thing", "--title", "x", *where],
        "info": ["info", *where],
        "info --verbose": ["info", *where, "--verbose"],
        "verify": ["verify", *where],
        "duplicates": ["duplicates", *where],
        "repeats": ["repeats", str(clip), str(folder / "notes.wav")],
        "rebuild": ["rebuild", *where],
        "export": ["export", str(catalog), *where],
        "merge": ["merge", none, *where],
        "compare": ["compare", str(clip), str(folder / "notes.wav")],
        "plot": ["plot", str(folder / "notes.wav"), "--out", str(folder / "notes.png")],
        "serve": ["serve", "--tls-key", none],
        "serve keys": ["serve", "keys", "--keys", str(catalog.parent / "keys.json"), "--add", "a key's long name " * 4],
        "serve keys, listed": ["serve", "keys", "--keys", str(catalog.parent / "keys.json")],
        "evaluate": ["evaluate", none],
        "evaluate indexes": ["evaluate", "indexes", none],
        "calibrate": ["calibrate", none, "--unknown-music", none],
        "train": ["train", "--data", none, "--out", none, "--steps", "0"],
        "demo": ["demo", "--out", "picture.nosuchkind"],
        "doctor": ["doctor", *where],
        "completion": ["completion", "bash"],
        "frobnicate": ["frobnicate"],
    }


def lines_in(shown: str) -> list[str]:
    """Return the lines of a terminal, each state of one that is drawn over by itself, without colours."""
    return re.split(r"\r?\n|\r", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown))


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_page_of_help_fits(name, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    with terminal(width) as end:
        main([*name.split(), "--help"])
        shown = end()
    assert max(map(cell_len, lines_in(shown))) <= width


def test_no_command_is_left_out(tmp_path):
    called = {name.partition(" --")[0].partition(",")[0] for name in commands(tmp_path, tmp_path, tmp_path)}
    assert called == {*COMMANDS, "frobnicate"}


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
        if name in SLOW and width != WIDTHS[0]:
            continue
        with terminal(width) as end:
            main(arguments)
            shown = end()
        assert "Traceback" not in shown, name
        lines = lines_in(shown)
        if name != "completion":
            assert max(map(cell_len, lines)) <= width, (name, lines)
        if name in ("list", "list --missing"):
            assert lines[-2].startswith(("4 tracks, ", "no track's file is gone")), name
        cells = {cell for line in lines for cell in line.split("  ")}
        assert not {"…", "..."} & {cell.strip() for cell in cells}, (name, lines)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "columns",
    [
        report.COLUMNS, comparison.SUMMARY_COLUMNS, indexes.COLUMNS, scenes.COLUMNS, repeats.COLUMNS, plays.COLUMNS,
        duplicates.COLUMNS, calibrate.THRESHOLD_COLUMNS, calibrate.CONFIDENCE_COLUMNS, (*demo.COLUMNS, *demo.KINDS),
    ],
)  # fmt: skip
def test_tables_of_figures_fit(columns, width):
    figures = [
        ["97.5", "93.3 to 99.1", "668", "speed+4 t60=0.5 snr=10"][place % 4] for place in range(len(columns) - 1)
    ]
    lines = draw(columns, [["speed+4 t60=0.5 snr=10", *figures], ["clean", *figures[::-1]]], width)
    assert max(map(cell_len, lines)) <= width
    assert not any(cell.strip() == "…" for line in lines for cell in line.split("  "))


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
