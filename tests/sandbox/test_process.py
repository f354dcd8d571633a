"""Whatever happens in the child, the parent gets an answer or a MediaError, and the next file is read as ever."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from earmark.errors import MediaError
from earmark.sandbox.process import Limits, Sandbox
from tests.sandbox.processes import code_and_detail, is_alive, wait_until

QUICK = Limits(least_seconds=1.0, seconds_a_second=0.2, most_seconds=4.0, blocked_seconds=1.0)


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


def test_a_child_that_takes_too_long_is_killed(sandbox: Any, file: BinaryIO) -> None:
    working = sandbox("work", QUICK)
    working.call(file, {"steps": 0, "heard": 0})
    child = working._child._process.pid
    code, detail = code_and_detail(working, file, steps=600, heard=0)
    assert code == "timeout"
    assert detail == "no end after 1 s of processor time; the file was given up"
    assert not is_alive(child)
    assert working.call(file, {"steps": 1, "heard": 0}) == {"steps": 1}


def test_a_child_that_says_how_much_it_has_heard_gains_time_up_to_a_limit(sandbox: Any, file: BinaryIO) -> None:
    working = sandbox("work", QUICK)
    assert working.call(file, {"steps": 15, "heard": 10.0}) == {"steps": 15}  # 1.5 s: longer than without a word
    with pytest.raises(MediaError) as caught:
        working.call(file, {"steps": 600, "heard": 10.0})
    assert caught.value.code == "timeout"
    assert 50 < caught.value.partial <= 400


def test_a_child_that_does_nothing_is_given_up_and_one_that_is_kept_from_working_is_not(
    sandbox: Any, file: BinaryIO
) -> None:
    waiting = sandbox("wait", QUICK)
    assert waiting.call(file, {"seconds": 0.1}) == {}
    assert code_and_detail(waiting, file, seconds=60) == ("timeout", "nothing happened for 1 s; the file was given up")
    working = sandbox("work", QUICK)
    working.call(file, {"steps": 0, "heard": 0})
    stopped = threading.Thread(target=stop_and_go, args=(working._child._process.pid, 8))
    stopped.start()  # it runs for a tenth of the time, as among many other programs
    began = time.monotonic()
    assert working.call(file, {"steps": 6, "heard": 0}) == {"steps": 6}
    assert time.monotonic() - began > QUICK.least_seconds + QUICK.blocked_seconds
    stopped.join()


def stop_and_go(process: int, times: int) -> None:
    for _ in range(times):
        os.kill(process, signal.SIGSTOP)
        time.sleep(0.45)
        os.kill(process, signal.SIGCONT)
        time.sleep(0.05)


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


def test_a_child_that_cannot_be_started_is_a_media_error(file: BinaryIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with Sandbox("tests.audio.sandboxed:read") as reader:
        code, detail = code_and_detail(reader, file)
    assert code == "decoder_crashed"
    assert "No such file" in detail
