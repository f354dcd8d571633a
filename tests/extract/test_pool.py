"""A pool gives every caller its fingerprint, with no more children than it may have, whatever happens to them."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from earmark.errors import MediaError, OptionError
from earmark.extract.pool import ExtractorPool, usable_cores
from earmark.extract.protocol import Cancellation, Extracted, ExtractLimits
from earmark.extract.sources import Source, opened
from earmark.sandbox.process import processor_seconds
from tests.audio.encoding import encode_as
from tests.audio.encoding import music as melody
from tests.extract.tasks import LIES


def extract(pool: ExtractorPool, source: Source, **options: Any) -> Extracted:
    with opened(source, pool.limits) as file:
        return pool.extract(file, **options)


def code_and_detail(pool: ExtractorPool, source: Source, **options: Any) -> tuple[str, str]:
    with pytest.raises(MediaError) as caught:
        extract(pool, source, **options)
    return caught.value.code, caught.value.detail


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_it_tells_of_a_file_what_is_in_it(pool, music, here, alike) -> None:
    children = pool(1)
    extracted = extract(children, music[0])
    assert alike(extracted.fingerprint, here(music[0]))
    assert alike(extracted.fingerprint, children.fingerprinter.unpack(extracted.packed))
    assert extracted.seconds == pytest.approx(30, abs=1)
    assert (extracted.complete, extracted.silent) == (True, False)
    assert extracted.features == len(extracted.fingerprint.layers["peaks"].frames) > 500
    assert extracted.tags["title"]


def test_a_query_is_looked_at_more_closely(pool, music, here, alike) -> None:
    extracted = extract(pool(1), music[1], query=True)
    assert alike(extracted.fingerprint, here(music[1], query=True))
    assert extracted.features > extract(pool(1), music[1]).features


def test_a_query_is_not_endless_and_a_recording_may_be(pool, music) -> None:
    children = pool(1, limits=ExtractLimits(longest_query_seconds=10))
    assert code_and_detail(children, music[0], query=True) == (
        "too_long",
        "longer than 10 s; cut it or raise the limit",
    )
    assert extract(children, music[0]).seconds > 10
    shorter = pool(1, limits=ExtractLimits(longest_seconds=20))
    assert code_and_detail(shorter, music[0])[0] == "too_long"


def test_a_small_file_that_holds_hours_of_silence_costs_next_to_nothing(pool) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(4 * 3600 * 4_000, np.int16), 4_000, format="FLAC")
    bomb = bytearray(file.getvalue())
    assert len(bomb) < 400_000
    children = pool(1)
    extract(children, encode_as("wav", melody(1.0)))
    child = children._sandboxes[0]._child._process.pid
    before = processor_seconds(child)
    too_long = ("too_long", "longer than 10800 s; cut it or raise the limit")
    assert code_and_detail(children, bytes(bomb), query=True) == too_long
    assert processor_seconds(child) - before < 1, "it says how long it is: nothing has to be decoded"
    bomb[21] &= 0xF0  # the number of samples, in the head of every FLAC file (RFC 9639, section 8.2): 0 is unknown
    bomb[22:26] = bytes(4)
    assert code_and_detail(children, bytes(bomb), query=True) == too_long
    assert processor_seconds(child) - before < 60


def test_silence_is_silent(pool) -> None:
    silence = encode_as("flac", 1e-5 * melody(3.0))
    extracted = extract(pool(1), silence)
    assert extracted.silent
    assert extracted.features < pool(1).fingerprinter.min_features


def test_fifty_callers_share_two_children_and_each_gets_its_own_fingerprint(pool, music, here, alike, started) -> None:
    children, expected = pool(2), [here(path) for path in music[:4]]
    assert started == []
    with ThreadPoolExecutor(50) as callers:
        extracted = list(callers.map(lambda number: extract(children, music[number % 4]), range(50)))
    assert all(alike(one.fingerprint, expected[number % 4]) for number, one in enumerate(extracted))
    assert len(started) == 2


def test_one_caller_after_the_other_needs_one_child(pool, music, started) -> None:
    children = pool(8)
    for path in music[:3]:
        extract(children, path)
    assert len(started) == 1
    children.close()
    assert started[0].poll() is not None


def test_closing_ends_those_who_work_and_those_who_wait(obedient, started) -> None:
    children = obedient(2)
    with ThreadPoolExecutor(6) as callers:
        outcomes: list[Future[tuple[str, str]]] = [callers.submit(code_and_detail, children, b"wait") for _ in range(6)]
        wait_until(lambda: len(started) == 2)
        began = time.monotonic()
        children.close()
        closed = ("unreadable", "the catalog was closed meanwhile; open it again")
        assert [outcome.result(timeout=5) for outcome in outcomes] == [closed] * 6
        assert time.monotonic() - began < 5
    assert code_and_detail(children, b"wait") == closed
    assert all(process.poll() is not None for process in started)
    assert len(started) == 2


def test_a_child_that_crashes_leaves_its_place_to_another(obedient, music, here, alike, started) -> None:
    children = obedient(1)
    for _ in range(2):
        code, detail = code_and_detail(children, b"crash")
        assert code == "decoder_crashed"
        assert "SIGSEGV" in detail
        assert alike(extract(children, music[2]).fingerprint, here(music[2]))
    assert len(started) == 3


def test_whoever_gives_up_waiting_leaves_the_line(obedient, music) -> None:
    children = obedient(1)
    with ThreadPoolExecutor(1) as callers:
        working = callers.submit(code_and_detail, children, b"wait")
        wait_until(lambda: children._sandboxes != [] and children._sandboxes[0]._child is not None)
        interrupt = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            extract(children, music[0])
        interrupt.join()
        assert not children._line
        os.kill(children._sandboxes[0]._child._process.pid, signal.SIGKILL)
        assert working.result(timeout=10)[0] == "decoder_crashed"
    assert extract(children, music[0]).features > 500


def test_the_line_is_served_in_order(obedient) -> None:
    children, served = obedient(1), []

    def ask(number: int) -> None:
        assert code_and_detail(children, b"rest")[0] == "decoder_crashed"  # it rests, and then says nothing
        served.append(number)

    callers = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for number, caller in enumerate(callers):
        caller.start()
        wait_until(lambda number=number: len(children._sandboxes) + len(children._line) == number + 1)
    for caller in callers:
        caller.join()
    assert served == [0, 1, 2, 3]


@pytest.mark.parametrize("lie", LIES)
def test_a_child_that_was_taken_over_is_not_believed(obedient, lie: str) -> None:
    children = obedient(1)
    assert extract(children, b"truth").seconds == 2.0
    code, detail = code_and_detail(children, lie.encode())
    assert code == "decoder_crashed"
    assert "answered in another form" in detail


def test_what_cannot_be_read_says_why(pool, tmp_path: Path) -> None:
    children = pool(1)
    assert code_and_detail(children, io.BytesIO(b"Dear diary, today I listened to music.\n" * 50))[0] == "unreadable"
    assert code_and_detail(children, b"")[0] == "too_short"
    assert code_and_detail(children, tmp_path)[0] == "unreadable"


def test_settings_that_make_no_sense_are_refused_before_anything_starts() -> None:
    with pytest.raises(OptionError, match="workers=0; give 1 or more"):
        ExtractorPool("shazam", {}, workers=0)
    with pytest.raises(OptionError, match="'nothing' is not known"):
        ExtractorPool("nothing", {})
    with pytest.raises(OptionError, match="loudness is no setting of landmarks"):
        ExtractorPool("shazam", {"loudness": 11})


def test_there_are_as_many_children_as_cores_unless_it_is_said() -> None:
    assert ExtractorPool("shazam", {}).workers == usable_cores() >= 1


def test_a_cancellation_ends_what_would_begin_later(music):
    with closing(ExtractorPool("shazam", {}, workers=1)) as pool, music[0].open("rb") as file:
        cancellation = Cancellation()
        cancellation.cancel()
        with pool.cancelled_by(cancellation), pytest.raises(MediaError, match="nobody waits"):
            pool.extract(file, query=True)
        assert pool.extract(file, query=True).seconds == pytest.approx(30, abs=0.1)
