"""Standard streams that are closed or full, names that are no text, SIGTERM: the exit status tells, nothing tears."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from tests.apps.cli.test_main import EARMARK


def shell(redirected: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run a command by a shell, which can close a stream."""
    command = ["sh", "-c", f'exec "$@" {redirected}', "sh", *EARMARK, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False)


@pytest.mark.parametrize("target", [">&-", ">/dev/full"])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_output_that_cannot_be_written_is_an_error_of_its_own(target, form, indexed):
    done = shell(target, "list", *form, "--catalog", indexed)
    assert done.returncode == 74
    assert done.stderr.startswith(b"earmark: the output cannot be written: ")
    assert done.stderr.count(b"\n") == 1
    assert shell(target, "list", "--quiet", "--catalog", indexed).returncode == 0, "nothing was to be written"


@pytest.mark.parametrize("target", ["2>&-", "2>/dev/full"])
def test_messages_that_cannot_be_written_leave_the_exit_status(target, indexed, tmp_path):
    assert shell(target, "list", "--catalog", tmp_path / "none").returncode == 4
    assert shell(target, "frobnicate").returncode == 2
    assert shell(target, "list", "--catalog", indexed).returncode == 0


def test_a_closed_standard_input_is_an_input_that_cannot_be_read(indexed):
    done = shell("<&-", "identify", "-", "--catalog", indexed)
    assert done.returncode == 3
    assert b"internal error" not in done.stderr


def test_no_file_of_a_catalog_takes_the_place_of_a_closed_stream(music, tmp_path):
    done = shell("<&- >&- 2>&-", "index", "--verbose", music[0], music[0].parent, "--catalog", tmp_path / "c.earmark")
    assert done.returncode in (1, 74)
    assert shell("", "verify", "--catalog", tmp_path / "c.earmark").returncode == 0


def test_a_doubled_slash_before_a_path_is_one(music, tmp_path, earmark):
    file = Path(shutil.copy(music[0], tmp_path / "one.opus"))
    catalog = tmp_path / "c.earmark"
    assert earmark("index", file, "--catalog", catalog).status == 0
    (record, _) = earmark("index", f"/{file}", "--catalog", catalog, "--json").records
    assert record["status"] == "unchanged"
    file.write_bytes(Path(music[1]).read_bytes())
    assert earmark("index", f"//{file}", "--catalog", catalog).status == 0
    assert len(earmark("list", "--catalog", catalog, "--json").records) == 1, "the same file has other content"


def test_a_name_that_is_no_text_is_identified_and_drawn(music, tmp_path, indexed):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102 - by its bytes
    shutil.copy(music[0], folder + b"/one.opus")
    done = subprocess.run(
        [*EARMARK, "identify", folder + b"/one.opus", "--json", "--catalog", str(indexed)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["query"]["source"].endswith(r"caf\xe9/one.opus")


def test_sigterm_ends_a_command_as_an_interrupt_does(music, earmark, tmp_path):
    path = tmp_path / "cut.earmark"
    command = [*EARMARK, "index", *map(str, music), "--catalog", str(path), "--workers", "1", "--verbose"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    told = [process.stderr.readline() for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again" in err
    known = {record["path"] for record in earmark("list", "--catalog", path, "--json").records}
    assert {str(Path(line.split(" added ")[1].strip()).resolve()) for line in told} <= known
    assert len(known) < len(music)
