"""What holds for every command: help, wrong usage, errors, pipes and interrupts."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from earmark.apps.cli.failures import report
from earmark.apps.cli.overview import COMMANDS
from earmark.apps.cli.reference import reference
from earmark.errors import CatalogLocked, MediaError, OptionError, SpecMismatch, TrackNotFound

ROOT = Path(__file__).parent.parent.parent.parent
# Ctrl-C is as on a terminal, even where the tests themselves run in the background of a shell, which ignores it.
EARMARK = [
    sys.executable,
    "-c",
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from earmark.apps.cli import main; sys.exit(main())",
]


def test_help_lists_every_command(earmark):
    done = earmark("--help")
    assert done.status == 0
    assert all(f"  {name} " in done.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(earmark, name):
    done = earmark(*name.split(), "--help")
    assert done.status == 0
    assert done.out.startswith(f"usage: earmark {name}")


def test_without_a_command_it_prints_help_to_stderr_and_fails(earmark):
    done = earmark()
    assert (done.status, done.out) == (2, "")
    assert "commands:" in done.err


def test_the_version_is_printed(earmark):
    assert earmark("--version").out.startswith("earmark 0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["indentify", "clip.wav"], "there is no command 'indentify'; did you mean `earmark identify`?"),
        (["frobnicate"], "there is no command 'frobnicate'"),
        (["--json", "identify"], "the command comes first, its options behind it, not '--json'"),
        (["identify"], "the following arguments are required: FILE"),
        (["identify", "x.wav", "--loud"], "unrecognized arguments: --loud"),
        (["identify", "x.wav", "--limit", "0"], "'0' is not a whole number of at least 1"),
        (["identify", "x.wav", "--threshold", "1.5"], "'1.5' is not a number from 0 to 1"),
        (["identify", "x.wav", "--threshold", "nan"], "'nan' is not a number from 0 to 1"),
        (["identify", "x.wav", "--quiet", "--verbose"], "not allowed with argument --quiet"),
        (["identify", "x.wav", "--lim", "3"], "unrecognized arguments: --lim"),
        (["update", "x", "--tag", "novalue"], "'novalue' is not NAME=VALUE"),
        (["completion", "ksh"], "invalid choice: 'ksh'"),
        (["red\x1b[31m"], r"red\x1b[31m"),
    ],
)
def test_wrong_usage_is_one_line_that_helps(earmark, arguments, message):
    done = earmark(*arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert done.err.startswith("earmark: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OptionError("no"), 2),
        (MediaError("unreadable", "gone"), 3),
        (PermissionError(13, "Permission denied", "out.png"), 3),
        (CatalogLocked("busy"), 4),
        (SpecMismatch("other"), 4),
        (TrackNotFound("unknown"), 1),
        (ZeroDivisionError("a bug"), 70),
    ],
)
def test_every_error_is_one_line_with_its_own_status(capsys, error, status):
    assert report(error) == status
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("earmark: ")


def test_what_was_foreseen_is_one_line_with_verbose_too(earmark, tmp_path):
    done = earmark("info", "--verbose", "--catalog", tmp_path / "none.earmark")
    assert (done.status, done.err.count("\n")) == (4, 1)


def test_a_bug_shows_where_it_is_only_when_asked(capsys):
    try:
        1 / 0  # noqa: B018 - the point
    except ZeroDivisionError as error:
        report(error, verbose=True)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("plot", "clip.wav", "--out"),
        ("demo", "--out"),
        ("identify", "clip.wav", "--plot"),
        ("plays", "--report"),
        ("calibrate", "music.earmark", "--out"),
    ],
)
def test_a_file_that_cannot_be_made_is_refused_before_any_work(earmark, tmp_path, arguments):
    done = earmark(*arguments, tmp_path / "absent" / "x.png")
    assert done.status == 2
    assert f"there is no folder '{tmp_path / 'absent'}' for 'x.png'; make it first" in done.err
    done = earmark(*arguments, tmp_path)
    assert f"'{tmp_path}' is a folder; name a file in it" in done.err


@pytest.mark.parametrize("command", [("evaluate",), ("evaluate", "indexes"), ("calibrate", "x"), ("demo",)])
def test_a_seed_below_0_is_refused(earmark, command):
    assert "'-1' is not a whole number of at least 0" in earmark(*command, "--seed=-1").err


def test_an_interrupt_is_told_as_json_too(earmark, monkeypatch):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("earmark.apps.cli.commands.info.run", interrupt)
    done = earmark("info", "--json")
    assert (done.status, done.err) == (130, "earmark: interrupted\n")
    assert done.records == [{"error": {"code": "interrupted", "message": "interrupted"}}]


def test_a_missing_catalog_says_what_to_do(earmark, tmp_path):
    done = earmark("list", "--catalog", tmp_path / "none.earmark")
    assert done.status == 4
    assert done.err.startswith("earmark: no catalog is at ")
    assert not (tmp_path / "none.earmark").exists()


def test_the_catalog_comes_from_the_option_then_the_environment_then_the_folder(
    earmark, indexed, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert "music.earmark" in earmark("list").err
    monkeypatch.setenv("EARMARK_CATALOG", str(indexed))
    assert earmark("list").status == 0
    assert earmark("list", "--catalog", "other").status == 4


def test_a_closed_pipe_ends_it_quietly(indexed):
    command = [*EARMARK, "list", "--catalog", str(indexed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_an_interrupt_keeps_what_is_done_and_says_how_to_go_on(music, earmark, tmp_path):
    path = tmp_path / "cut.earmark"
    command = [*EARMARK, "index", *map(str, music), "--catalog", str(path), "--workers", "1", "--verbose"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told = [process.stderr.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again" in err
    assert "Traceback" not in err
    known = {record["path"] for record in earmark("list", "--catalog", path, "--json").records}
    assert {str(Path(line.split(" added ")[1].strip()).resolve()) for line in told} <= known
    assert len(known) < len(music)
    assert earmark("index", *music, "--catalog", path).status == 0
    assert len(earmark("list", "--catalog", path, "--json").records) == len(music)


def test_the_reference_page_is_up_to_date():
    page = (ROOT / "docs" / "cli.md").read_text()
    assert page == reference(), "make it again: python -m earmark.apps.cli.reference > docs/cli.md"


def test_a_command_starts_without_what_it_does_not_need():
    program = "import sys; from earmark.apps.cli import main; main(['identify', '--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "av", "rich", "sqlite3", "shtab", "earmark.apps.cli.commands.index"} & set(loaded)


def test_completion_is_a_script_for_each_shell(earmark):
    for shell in ("bash", "zsh", "fish", "tcsh"):
        done = earmark("completion", shell)
        assert done.status == 0
        assert "identify" in done.out
    assert (
        subprocess.run(["bash", "-n"], input=earmark("completion", "bash").out, text=True, check=False).returncode == 0
    )
