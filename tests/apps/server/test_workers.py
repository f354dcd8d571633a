"""Workers as real processes: killed, cancelled, and reading what is written meanwhile."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import termios
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import msgspec
import pytest
from tests.apps.server.conftest import wait_for

import earmark
from earmark.apps.server.problems import Problem
from earmark.apps.server.worker import Opening, Question
from earmark.apps.server.worker_pool import WorkerPool
from earmark.errors import CatalogNotFound, MediaError, OptionError
from earmark.extract.protocol import Cancellation


def opening_of(catalog) -> Opening:
    with earmark.open(catalog, read_only=True) as opened:
        info = opened.info()
    return Opening(str(catalog), info["fingerprinter"], dict(info["preset"]), cache_bytes=10_000_000, clip_seconds=60.0)


@pytest.fixture(scope="module")
def deaths() -> list[None]:
    """One more item for each worker that died of a question."""
    return []


@pytest.fixture(scope="module")
def pool(known, deaths) -> Iterator[WorkerPool]:
    """One worker."""
    pool = WorkerPool(opening_of(known), 1, replaced=lambda: deaths.append(None))
    yield pool
    pool.close()


@pytest.fixture
def path(tmp_path, clips):
    (tmp_path / "clip.wav").write_bytes(clips("pulse"))
    return str(tmp_path / "clip.wav")


def test_it_answers_with_the_record_and_what_became_of_it(pool, path):
    told = pool.told(Question("a clip", {"limit": 1}, path=path), Cancellation())
    record = json.loads(told.content)
    assert (told.outcome, record["query"]["source"]) == ("found", "a clip")
    assert "Pulse" in record["matches"][0]["track"]["title"]


def test_its_errors_are_those_of_the_catalog(pool, tmp_path, path):
    (tmp_path / "text").write_text("no sound")
    with pytest.raises(MediaError) as raised:
        pool.told(Question("", {}, path=str(tmp_path / "text")), Cancellation())
    assert raised.value.code in MediaError.CODES
    with pytest.raises(OptionError):
        pool.told(Question("", {}, packed=b"nonsense" * 9), Cancellation())
    with pytest.raises(RuntimeError, match="unexpected keyword argument 'no_option'"):
        pool.told(Question("", {"no_option": 1}, path=path), Cancellation())
    assert pool.told(Question("", {}, path=path), Cancellation()).outcome == "found"


def test_one_that_was_killed_between_two_questions_is_replaced(pool, path, deaths):
    pool.warm_up(1)
    (before,), died = pool.processes, len(deaths)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: not pool.processes)
    assert pool.told(Question("", {}, path=path), Cancellation()).outcome == "found"
    assert pool.processes != [before]
    assert len(deaths) == died


def test_the_question_of_one_that_was_killed_is_asked_once_more(pool, path, deaths):
    died = len(deaths)
    with stopped_at_work(pool, Question("", {}, path=path)) as (worker, asked):
        os.kill(worker, signal.SIGKILL)
        assert asked.result().outcome == "found"
    assert len(deaths) == died + 1


def test_a_question_that_kills_each_is_answered_with_a_problem(pool, path):
    with stopped_at_work(pool, Question("", {}, path=path)) as (first, asked):
        os.kill(first, signal.SIGKILL)
        second = wait_for(lambda: next((one for one in pool.processes if one != first), None))
        os.kill(second, signal.SIGKILL)
        with pytest.raises(Problem, match="SIGKILL") as raised:
            asked.result()
    assert (raised.value.status, raised.value.code) == (500, "worker_ended")
    assert pool.told(Question("", {}, path=path), Cancellation()).outcome == "found"


def test_who_gives_up_gets_no_answer_and_the_next_one_theirs(pool, path, tmp_path, clips):
    (tmp_path / "long.wav").write_bytes(clips("pulse", 0, 30))
    cancellation, long = Cancellation(), Question("", {}, path=str(tmp_path / "long.wav"))
    with stopped_at_work(pool, long, cancellation) as (worker, asked):
        cancellation.cancel()
        os.kill(worker, signal.SIGCONT)
        with pytest.raises(MediaError, match="nobody waits"):
            asked.result()
        with pytest.raises(MediaError, match="nobody waits"):
            pool.told(Question("", {}, path=path), cancellation)
        assert pool.told(Question("", {}, path=path), Cancellation()).outcome == "found"
        assert pool.processes == [worker]


def test_a_catalog_that_cannot_be_opened_is_said(known, tmp_path, path):
    opening = msgspec.structs.replace(opening_of(known), catalog=str(tmp_path))
    missing = WorkerPool(opening, 1, replaced=lambda: None)
    for _ in range(2):
        with pytest.raises(CatalogNotFound):
            missing.told(Question("", {}, path=path), Cancellation())
    missing.close()


def test_all_workers_know_what_was_added_and_forget_what_was_removed(serve, clips, music):
    clip = clips("forest")
    with serve(workers=2) as own, ThreadPoolExecutor(4) as threads:

        def asked():
            return list(threads.map(lambda _: own.client.post("/v1/identify", content=clip).json(), range(4)))

        assert len(own.service.workers.processes) == 2
        assert not any(answer["matches"] for answer in asked())
        with earmark.open(own.settings.catalog) as catalog:
            (added,) = catalog.add([one for one in music if one.stem == "forest"]).added
            assert all(answer["matches"][0]["track"]["id"] == added.id for answer in asked())
            catalog.remove(added.id)
        assert not any(answer["matches"] for answer in asked())
        figures = own.client.get("/metrics").text
        assert 'earmark_identified_total{outcome="unknown"} 8.0' in figures
        assert 'earmark_identified_total{outcome="found"} 4.0' in figures
        assert "earmark_workers 2.0" in figures


@contextmanager
def stopped_at_work(pool, question, cancellation=None):
    """Give a pool's only worker, stopped before it read a question: (its number, the future of the answer)."""
    pool.warm_up(1)
    (worker,) = pool.processes
    os.kill(worker, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(pool.told, question, cancellation or Cancellation())
        wait_for(lambda: has_unread(pool))
        yield worker, asked


def has_unread(pool):
    """Return whether something was sent to the first worker that it has not read."""
    waiting = fcntl.ioctl(pool._workers[0]._connection, termios.TIOCOUTQ, bytes(4))
    return struct.unpack("i", waiting)[0] > 0
