"""Whatever happens in the child, the parent gets an answer or a MediaError, and the next file is read as ever."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from tests.audio.encoding import encode_as, music
from tests.audio.mutating import mutated
from tests.audio.sandboxed import framed

from earmark.errors import MediaError, OptionError
from earmark.sandbox.process import LARGEST_MESSAGE, Limits, Sandbox

ROOT = Path(__file__).parents[2]
QUICK = Limits(least_seconds=1.0, seconds_a_second=0.2, most_seconds=4.0)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sandbox]]:
    """Make sandboxes for tasks of `sandboxed.py`, already started."""
    monkeypatch.syspath_prepend(str(ROOT))
    made: list[Sandbox] = []

    def make(task: str, limits: Limits | None = None) -> Sandbox:
        made.append(Sandbox(f"tests.audio.sandboxed:{task}", limits=limits))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def file() -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as spool:
        spool.write(b"some sound")
        spool.flush()
        spool.seek(0)
        yield spool


def code_and_detail(sandbox: Sandbox, file: BinaryIO, **request: Any) -> tuple[str, str]:
    with pytest.raises(MediaError) as caught:
        sandbox.call(file, request)
    return caught.value.code, caught.value.detail


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def has_ended(process: int) -> bool:
    return not is_alive(process)


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_the_task_gets_the_file_and_the_request_and_its_answer_comes_back(sandbox: Any, file: BinaryIO) -> None:
    reader = sandbox("read")
    answer = reader.call(file, {"words": ["a", "ß"], "packed": b"\0\xff", "number": 1.5})
    assert answer["content"] == b"some sound"
    assert answer["request"] == {"words": ["a", "ß"], "packed": b"\0\xff", "number": 1.5}
    assert answer["process"] != os.getpid()


def test_one_child_reads_many_files_and_is_then_replaced(sandbox: Any, file: BinaryIO) -> None:
    reader = sandbox("read", Limits(files=3))
    processes = [reader.call(file, {})["process"] for _ in range(7)]
    assert [processes.count(process) for process in dict.fromkeys(processes)] == [3, 3, 1]
    assert wait_until(lambda: not any(map(is_alive, processes[:6])))


def test_a_media_error_arrives_as_it_was_raised(sandbox: Any, file: BinaryIO) -> None:
    with pytest.raises(MediaError) as caught:
        sandbox("fail").call(file, {"kind": "media"})
    assert (caught.value.code, caught.value.detail, caught.value.partial) == ("too_long", "longer than 3 s", 3.0)


def test_a_wrong_option_is_the_callers_error_and_not_the_files(sandbox: Any, file: BinaryIO) -> None:
    with pytest.raises(OptionError, match="loudness=11; give 0 to 10"):
        sandbox("fail").call(file, {"kind": "option"})


@pytest.mark.parametrize(
    ("kind", "code", "detail"),
    [
        ("other", "unreadable", "ZeroDivisionError: a division by zero"),
        ("signal", "decoder_crashed", "SIGSEGV"),
        ("exit", "decoder_crashed", "exit status 3"),
        ("memory", "too_large", "more memory"),
        ("write", "unreadable", "File too large"),
        ("open", "unreadable", "Too many open files"),
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


def test_a_child_that_takes_too_long_is_killed(sandbox: Any, file: BinaryIO) -> None:
    working = sandbox("work", QUICK)
    working.call(file, {"steps": 0, "heard": 0})  # the first call waits longer, for the imports
    child = working._child._process.pid
    began = time.monotonic()
    assert code_and_detail(working, file, steps=600, heard=0)[0] == "timeout"
    assert time.monotonic() - began < 5
    assert not is_alive(child)
    assert working.call(file, {"steps": 1, "heard": 0}) == {"steps": 1}


def test_a_child_that_says_how_much_it_has_heard_gains_time_up_to_a_limit(sandbox: Any, file: BinaryIO) -> None:
    working = sandbox("work", QUICK)
    working.call(file, {"steps": 0, "heard": 0})
    assert working.call(file, {"steps": 15, "heard": 10.0}) == {"steps": 15}  # of 0.1 s: longer than without a word
    with pytest.raises(MediaError) as caught:
        working.call(file, {"steps": 600, "heard": 10.0})
    assert caught.value.code == "timeout"
    assert 50 < caught.value.partial <= 400


def test_the_child_is_limited(sandbox: Any, file: BinaryIO) -> None:
    found = sandbox("limits").call(file, {})
    assert (found["core"], found["written"], found["files"]) == (0, 0, 16)
    assert 0 < found["processor"] < 4_000
    assert found["interrupt"], "Ctrl-C is for the parent to decide on"


HOSTILE = {
    "endless": b"\xff\xff\xff\xff",
    "too_long": (LARGEST_MESSAGE + 1).to_bytes(4, "little"),
    "no_msgpack": framed(b"\xc1"),
    "empty": framed(b""),
    "nested": framed(b"\x91" * 100_000 + b"\xc0"),
    "list_as_key": framed(b"\x81\x90\xc0"),
    "extension": framed(b"\xd4\x05\x00"),
    "list": framed([1, 2, 3]),
    "nothing": framed({}),
    "seconds_in_words": framed({"seconds": "many"}),
    "no_seconds": framed({"seconds": None}),
    "done_with_a_number": framed({"done": 7}),
    "unknown_code": framed({"error": ["MediaError", "no_such_code", "", 0.0]}),
    "unknown_kind": framed({"error": ["KeyboardInterrupt", "stop"]}),
    "error_of_text": framed({"error": "everything"}),
    "seconds_without_end": framed({"seconds": float("inf")}),
    "partial_without_end": framed({"error": ["MediaError", "too_long", "", float("nan")]}),
    "partial_in_words": framed({"error": ["MediaError", "too_long", "", "soon"]}),
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_child_that_was_taken_over_cannot_confuse_the_parent(answer: bytes, sandbox: Any, file: BinaryIO) -> None:
    hostile = sandbox("answer_in_bytes", Limits(least_seconds=5.0))
    assert code_and_detail(hostile, file, answer=answer)[0] == "decoder_crashed"


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


def test_several_threads_get_each_its_own_answer(sandbox: Any) -> None:
    reader = sandbox("read")

    def ask(number: int) -> bool:
        with tempfile.TemporaryFile() as spool:
            spool.write(b"%d" % number)
            spool.flush()
            spool.seek(0)
            answer = reader.call(spool, {"number": number})
            return bool(answer["content"] == b"%d" % number and answer["request"]["number"] == number)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(100)))


def test_closing_ends_a_call_in_another_thread(sandbox: Any, file: BinaryIO) -> None:
    working = sandbox("work")
    closer = threading.Timer(1.0, working.close)
    closer.start()
    began = time.monotonic()
    assert code_and_detail(working, file, steps=600, heard=0)[0] == "decoder_crashed"
    assert time.monotonic() - began < 8
    closer.join()


def test_nothing_is_left_open_by_children_that_crashed(sandbox: Any, file: BinaryIO) -> None:
    failing = sandbox("fail")
    code_and_detail(failing, file, kind="exit")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        code_and_detail(failing, file, kind="exit")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


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


def test_a_child_that_died_between_two_files_is_replaced(sandbox: Any, file: BinaryIO) -> None:
    reader = sandbox("read")
    first = reader.call(file, {})["process"]
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: not is_alive(first))
    assert reader.call(file, {})["process"] != first


def test_a_closed_sandbox_starts_no_child(sandbox: Any, file: BinaryIO) -> None:
    reader = sandbox("read")
    reader.close()
    assert code_and_detail(reader, file) == ("unreadable", "the sandbox was closed meanwhile; make another")


def test_a_task_that_cannot_be_imported_says_why(sandbox: Any, file: BinaryIO) -> None:
    assert "has no attribute 'no_such_task'" in code_and_detail(sandbox("no_such_task"), file)[1]


def test_a_child_that_cannot_be_started_is_a_media_error(file: BinaryIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with Sandbox("tests.audio.sandboxed:read") as reader:
        code, detail = code_and_detail(reader, file)
    assert code == "decoder_crashed"
    assert "No such file" in detail
