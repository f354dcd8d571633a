"""Results and errors arrive as they were; a child that lies is a crash, and nothing else."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from typing import Any, BinaryIO

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import MediaError, OptionError, SpecMismatch
from earmark.sandbox import wire
from earmark.sandbox.bounds import MOST, check_bounds
from earmark.sandbox.process import Limits
from tests.audio.sandboxed import framed
from tests.sandbox.processes import code_and_detail


def test_a_media_error_arrives_as_it_was_raised(sandbox: Any, file: BinaryIO) -> None:
    with pytest.raises(MediaError) as caught:
        sandbox("fail").call(file, {"kind": "media"})
    assert (caught.value.code, caught.value.detail, caught.value.partial) == ("too_long", "longer than 3 s", 3.0)


def test_a_wrong_option_is_the_callers_error_and_not_the_files(sandbox: Any, file: BinaryIO) -> None:
    with pytest.raises(OptionError, match="loudness=11; give 0 to 10"):
        sandbox("fail").call(file, {"kind": "option"})


HOSTILE = {
    "endless": b"\xff\xff\xff\xff",
    "too_long": (wire.LARGEST_MESSAGE + 1).to_bytes(4, "little"),
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
    "text_without_end": framed({"error": ["other", "x" * MOST]}),
    "more_values_than_fit": framed(b"\x81\xa4done\xdd" + (1 << 23).to_bytes(4, "big") + b"\xc0" * (1 << 23)),
    "partial_in_words": framed({"error": ["MediaError", "too_long", "", "soon"]}),
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_child_that_was_taken_over_cannot_confuse_the_parent(answer: bytes, sandbox: Any, file: BinaryIO) -> None:
    hostile = sandbox("answer_in_bytes", Limits(blocked_seconds=5.0))
    assert code_and_detail(hostile, file, answer=answer)[0] == "decoder_crashed"


def patience(seconds: float) -> wire.Patience:
    end = time.monotonic() + seconds

    def left() -> float:
        if time.monotonic() > end:
            raise TimeoutError
        return 0.02

    return left


def test_a_message_is_read_as_it_was_written_whatever_its_parts() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        large = {"packed": bytes(3 << 20), "words": ["a", "ß"]}
        sender = threading.Thread(target=theirs.sendall, args=(wire.framed(large) + wire.framed({"seconds": 2.5}),))
        sender.start()
        assert wire.receive(ours, patience=patience(10)) == large
        assert wire.seconds_in(wire.receive(ours)) == 2.5
        sender.join()
        with pytest.raises(TimeoutError):
            wire.receive(ours, patience=patience(0.05))
        theirs.close()
        with pytest.raises(EOFError):
            wire.receive(ours, patience=patience(10))


@pytest.mark.parametrize(
    ("raised", "arrives"),
    [
        (MediaError("no_audio", "a picture", 1.5), MediaError("no_audio", "a picture", 1.5)),
        (OptionError("rate=0; give more"), OptionError("rate=0; give more")),
        (SpecMismatch("a fingerprint of another kind"), SpecMismatch("a fingerprint of another kind")),
        (MemoryError(), MediaError("too_large", "it takes more memory than a file may")),
        (KeyError("frames"), MediaError("unreadable", "KeyError: 'frames'")),
        (ValueError("x" * 9_000), MediaError("unreadable", "ValueError: " + "x" * 488)),
    ],
)
def test_an_exception_of_the_task_is_raised_again(raised: Exception, arrives: Exception) -> None:
    with pytest.raises(type(arrives)) as caught:
        wire.result(wire.failure(raised))
    assert vars(caught.value) == vars(arrives)
    assert str(caught.value) == str(arrives)


LEAVES = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text() | st.binary()
PLAIN = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def held(value: Any) -> int:
    match value:
        case str():
            return 1 + len(value.encode())
        case list():
            return 1 + sum(map(held, value))
        case dict():
            return 1 + sum(held(key) + held(one) for key, one in value.items())
    return 1


@settings(max_examples=40)
@given(PLAIN, st.sampled_from([20, 40, 300]))
def test_the_bounds_of_a_message_are_those_of_its_values(value: Any, length: int) -> None:
    for one in (value, [value, "x" * length, b"x" * 300 * length, [None] * length]):
        message, most = msgspec.msgpack.encode(one), held(one)
        check_bounds(message, most)
        with pytest.raises(ValueError, match="values and letters"):
            check_bounds(message, most - 1)


def test_a_message_in_single_bytes_takes_no_more_memory_than_it_has() -> None:
    ours, theirs = socket.socketpair()
    message = framed({"done": {"packed": bytes(20_000)}})

    def send() -> None:
        for place in range(len(message)):
            theirs.sendall(message[place : place + 1])

    sender = threading.Thread(target=send)
    tracemalloc.start()
    sender.start()
    received = wire.receive(ours)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    sender.join()
    ours.close()
    theirs.close()
    assert received["done"]["packed"] == bytes(20_000)
    assert most < 10 * len(message)
