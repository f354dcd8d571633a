"""The child has its limits, ends with its parent, and survives what decoders do."""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from earmark.errors import MediaError, OptionError
from earmark.sandbox.process import ENVIRONMENT, INHERITED, Sandbox
from tests.audio.encoding import encode_as, music
from tests.audio.mutating import mutated
from tests.sandbox.processes import ROOT, code_and_detail, has_ended, is_alive, wait_until


@pytest.mark.parametrize(
    ("kind", "code", "detail"),
    [
        ("other", "unreadable", "ZeroDivisionError: a division by zero"),
        ("signal", "decoder_crashed", "SIGSEGV"),
        ("exit", "decoder_crashed", "exit status 3"),
        ("memory", "too_large", "more memory"),
        ("write", "unreadable", "PermissionError"),
        ("received", "unreadable", "PermissionError"),
        ("thread", "unreadable", "RuntimeError: can't start new thread"),
        ("program", "unreadable", "PermissionError"),
        ("secrets", "unreadable", "PermissionError"),
    ],
)
def test_what_goes_wrong_in_the_child_is_a_media_error_and_the_next_file_is_read(
    kind: str, code: str, detail: str, sandbox: Any, file: BinaryIO, tmp_path: Path
) -> None:
    failing = sandbox("fail")
    written = tmp_path / "written"
    written.touch()
    got, text = code_and_detail(failing, file, kind=kind, path=str(written))
    assert got == code
    assert detail in text
    assert failing.call(file, {"kind": "nothing"})["process"]
    assert written.stat().st_size == 0
    assert Path(f"/proc/self/fd/{file.fileno()}").stat().st_size == len(b"some sound")


def test_the_child_is_limited(sandbox: Any, file: BinaryIO) -> None:
    found = sandbox("limits").call(file, {})
    assert (found["core"], found["written"], found["files"]) == (0, 0, 16)
    assert 0 < found["processor"] < 4_000
    assert found["interrupt"], "Ctrl-C is for the parent to decide on"


@pytest.mark.parametrize("name", ["wav", "aiff", "flac", "mp3", "opus", "m4a", "wma", "webm", "mka", "ts"])
def test_no_damaged_file_crashes_the_child_or_raises_what_nobody_foresaw(name: str, sandbox: Any) -> None:
    whole, decoder, outcomes = encode_as(name, music(2.0)), sandbox("decoded"), []
    for seed in range(25):
        with tempfile.TemporaryFile() as spool:
            spool.write(mutated(whole, seed))
            spool.flush()
            spool.seek(0)
            try:
                outcomes.append((seed, decoder.call(spool, {}).get("foreign", "sound")))
            except MediaError as error:
                outcomes.append((seed, error.code))
    foreseen = {"sound", "unreadable", "unsupported", "no_audio", "too_short", "too_long"}
    assert [outcome for outcome in outcomes if outcome[1] not in foreseen] == []


def test_the_child_ends_with_its_parent_also_when_it_hangs() -> None:
    program = (
        "import sys, tempfile; sys.path.insert(0, sys.argv[1])\n"
        "from earmark.sandbox.process import Sandbox\n"
        "sandbox, file = Sandbox('tests.audio.sandboxed:work'), tempfile.TemporaryFile()\n"
        "sandbox.call(file, {'steps': 0, 'heard': 0})\n"
        "print(sandbox._child._process.pid, flush=True)\n"
        "sandbox.call(file, {'steps': int(sys.argv[2]), 'heard': 0}) and input()\n"
    )
    for steps in (0, 600):  # waiting for a file, and at work on one
        command = [sys.executable, "-c", program, str(ROOT), str(steps)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            child = int(parent.stdout.readline())
            time.sleep(0.3)
            assert is_alive(child)
            parent.send_signal(signal.SIGKILL)
        assert wait_until(functools.partial(has_ended, child)), steps


def test_a_module_beside_the_music_is_not_run(tmp_path: Path, file: BinaryIO, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("contextlib", "msgspec", "numpy", "av", "earmark"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w').close()")
    monkeypatch.setattr(sys, "path", [str(ROOT), *filter(None, sys.path)])
    monkeypatch.chdir(tmp_path)
    with Sandbox("tests.audio.sandboxed:read") as reader:
        assert reader.call(file, {})["content"] == b"some sound"
    assert not (tmp_path / "run").exists()


def test_a_task_that_cannot_be_imported_says_why(sandbox: Any, file: BinaryIO) -> None:
    assert "has no attribute 'no_such_task'" in code_and_detail(sandbox("no_such_task"), file)[1]


def test_settings_that_make_no_sense_are_the_callers_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    with tempfile.TemporaryFile() as file, Sandbox("tests.audio.sandboxed:read", settings={"fails": "no"}) as failing:
        for _ in range(2):
            with pytest.raises(OptionError, match="no"):
                failing.call(file, {})


def test_the_child_knows_nothing_of_the_environment(
    sandbox: Any, file: BinaryIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "xyzzy")
    names = sandbox("fail").call(file, {"kind": "environment"})["environment"]
    assert set(names) <= {*ENVIRONMENT, *INHERITED, "PYTHONPATH", "LC_CTYPE"}  # the last is Python's own
    assert "ORT_DISABLE_TELEMETRY" in names
