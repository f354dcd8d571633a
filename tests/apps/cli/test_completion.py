"""Completion works in the shells themselves: commands, options and files."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def script(earmark, tmp_path):
    def write(shell: str) -> Path:
        path = tmp_path / f"completion.{shell}"
        path.write_text(earmark("completion", shell).out)
        (tmp_path / "files").mkdir()
        (tmp_path / "files" / "a clip.wav").touch()
        (tmp_path / "files" / "folder").mkdir()
        return path

    return write


def run(shell: str, program: str, folder: Path) -> list[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-c", program], capture_output=True, text=True, cwd=folder, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


def in_bash(script: Path, *words: str) -> list[str]:
    typed = " ".join(f"'{word}'" for word in words)
    program = (
        f"source {script}; COMP_WORDS=(earmark {typed}); COMP_CWORD={len(words)}; "
        "$(complete -p earmark | sed 's/.*-F \\([^ ]*\\).*/\\1/') earmark; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    return [line.strip() for line in run("bash", program, script.parent / "files")]


def test_bash_completes_commands_options_and_files(script):
    path = script("bash")
    assert "identify" in in_bash(path, "iden")
    assert "--several" in in_bash(path, "identify", "--sev")
    assert "a clip.wav" in in_bash(path, "identify", "a")
    assert "folder" in [one.rstrip("/") for one in in_bash(path, "index", "f")]
    assert "folder" in [one.rstrip("/") for one in in_bash(path, "identify", "--catalog", "f")]


def in_fish(script: Path, line: str) -> list[str]:
    found = run("fish", f"source {script}; complete -C '{line}'", script.parent / "files")
    return [one.split("\t")[0] for one in found]


def test_fish_completes_commands_options_and_files(script):
    path = script("fish")
    assert in_fish(path, "earmark iden") == ["identify"]
    assert "--several" in in_fish(path, "earmark identify --sev")
    assert "a clip.wav" in [one.replace("\\", "") for one in in_fish(path, "earmark identify a")]
    assert "folder/" in in_fish(path, "earmark identify --catalog f")
    assert "a clip.wav" not in in_fish(path, "earmark identify --catalog a")
    assert in_fish(path, "earmark completion f") == ["fish"]


def in_zsh(script: Path, line: str) -> str:
    """Return what stands on the line of an interactive zsh after the tabulator key was pressed."""
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    functions = script.parent / "functions"
    functions.mkdir(exist_ok=True)
    shutil.copy(script, functions / "_earmark")
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(script.parent / "files")
        os.environ.update({"PS1": "READY ", "TERM": "dumb"})
        os.execvp("zsh", ["zsh", "-f", "-i"])
    os.write(terminal, f"fpath=({functions} $fpath); autoload -U compinit; compinit -u; PS1='GO'\"N \"\n".encode())
    _read_until(terminal, "GON ")
    os.write(terminal, line.encode() + b"\t")
    shown = _read_until(terminal, None)
    os.write(terminal, b"\x03exit\n")
    os.close(terminal)
    os.waitpid(process, 0)
    return shown


def _read_until(terminal: int, mark: str | None, *, quiet_seconds: float = 2.0) -> str:
    """Return what a terminal shows until a mark comes, or nothing more does."""
    os.set_blocking(terminal, False)
    shown, last = "", time.monotonic()
    while (mark is None or mark not in shown) and time.monotonic() - last < (30 if mark else quiet_seconds):
        try:
            part = os.read(terminal, 4_096).decode(errors="replace")
        except BlockingIOError:
            time.sleep(0.02)
            continue
        shown, last = shown + part, time.monotonic()
    return shown


def test_zsh_completes_commands_options_and_files(script):
    path = script("zsh")
    assert "identify" in in_zsh(path, "earmark iden")
    assert "--several" in in_zsh(path, "earmark identify --sev")
    assert "clip.wav" in in_zsh(path, "earmark identify a")


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "earmark", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("earmark ")
