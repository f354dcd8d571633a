"""The child has given up its rights, and the numbers by which it does so are those of Linux."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from earmark.sandbox import attempts, landlock, seccomp
from earmark.sandbox.process import Sandbox

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def test_the_child_can_do_nothing_but_read_its_file(file: BinaryIO) -> None:
    with Sandbox(attempts.TASK) as child:
        assert child.call(file, {}) == {"allowed": []}
        assert child.held_by() == (f"Landlock {landlock.version()}", "seccomp")


def test_without_a_sandbox_all_of_that_is_allowed(file: BinaryIO) -> None:
    assert attempts.attempt(file, {}, print) == {"allowed": list(attempts.ATTEMPTS)}


@pytest.mark.parametrize(
    ("kind", "refused"),
    [
        ("landlock", {"read a file", "write a file", "make or remove a file"}),
        ("seccomp", set(attempts.ATTEMPTS)),
    ],
)
def test_each_of_the_two_refuses_what_it_can(kind: str, refused: set[str], file: BinaryIO) -> None:
    restrict = {"landlock": landlock.restrict, "seccomp": seccomp.restrict}[kind]
    allowed = in_a_fork(lambda: (restrict(), attempts.attempt(file, {}, print)["allowed"])[1])
    assert refused.isdisjoint(allowed)
    assert {*allowed, *refused} <= set(attempts.ATTEMPTS)


def in_a_fork(action: Callable[[], list[str]]) -> list[str]:
    """Return what an action gives in a process of its own, which ends with it."""
    ours, theirs = socket.socketpair()
    process = os.fork()
    if process == 0:
        try:
            theirs.sendall("\n".join(action()).encode() + b"\0")
        finally:
            os._exit(0)
    with ours, theirs:
        os.waitpid(process, 0)
        said = ours.recv(10_000).decode()
    assert said.endswith("\0")
    return [line for line in said[:-1].split("\n") if line]


def numbers() -> dict[str, tuple[int, int | None]]:
    guarded = {name: given[0] for name, given in seccomp.GUARDED.items()}
    return {**seccomp.NUMBERS, **guarded, "seccomp": seccomp.SECCOMP}


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_of_system_calls_are_those_of_linux(machine: str) -> None:
    column, architecture = seccomp.MACHINES[machine]
    assert architecture == ARCHITECTURES[machine]
    known = numbers_of_the_kernel(machine)
    for name, number in numbers().items():
        assert known(name) == number[column], name
    assert known("landlock_create_ruleset") == landlock.CREATE_RULESET
    assert known("landlock_restrict_self") == landlock.RESTRICT_SELF


def numbers_of_the_kernel(machine: str) -> Callable[[str], int | None]:
    """Return what gives a call's number, by libseccomp's tables or by Linux's headers."""
    library = ctypes.util.find_library("seccomp")
    if library is not None:
        libseccomp = ctypes.CDLL(library)

        def number(name: str) -> int | None:
            found = libseccomp.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(ARCHITECTURES[machine]), name.encode())
            return found if found >= 0 else None

        return number
    if not HEADERS[machine].exists():
        pytest.skip("neither libseccomp nor Linux's headers are installed")
    defined = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text()))
    defined = {"newfstatat": defined.get("fstatat", ""), **defined}
    return lambda name: int(defined[name]) if defined.get(name) else None


@pytest.mark.parametrize("machine", seccomp.MACHINES)
def test_the_filter_lets_through_what_is_listed_and_nothing_else(machine: str) -> None:
    column, architecture = seccomp.MACHINES[machine]
    filters = seccomp.program(machine, process=77)
    limit, signal, control, _ = (given[0][column] for given in seccomp.GUARDED.values())
    let_through = {n for n in range(500) if judged(filters, architecture, n, ()) == seccomp.ALLOW}
    listed = {given[column] for given in seccomp.NUMBERS.values()} - {None}
    assert let_through == {*listed, limit}  # whose argument is 0: this process
    assert judged(filters, architecture, limit, (77,)) == seccomp.ALLOW
    assert judged(filters, architecture, limit, (78,)) == seccomp.REFUSE
    assert judged(filters, architecture, signal, (77, 77, 11)) == seccomp.ALLOW
    assert judged(filters, architecture, signal, (1, 1, 9)) == seccomp.REFUSE
    assert judged(filters, architecture, control, (0, 3)) == seccomp.ALLOW
    assert judged(filters, architecture, control, (0, 8)) == seccomp.REFUSE  # F_SETOWN
    assert judged(filters, 0x40000003, 0, ()) == seccomp.KILL  # AUDIT_ARCH_I386, whose numbers are others
    assert judged(filters, architecture, 0x40000000, ()) == seccomp.REFUSE  # x32's bit


def judged(filters: bytes, architecture: int, number: int, arguments: tuple[int, ...]) -> int:
    """Return what the filter says of a call, as the kernel's machine works it out."""
    padded = (*arguments, *(0,) * 6)[:6]
    data = struct.pack("=IIQ6Q", number, architecture, 0, *padded)
    place = held = 0
    while True:
        code, skip_true, skip_false, value = struct.unpack_from("=HBBI", filters, 8 * place)
        place += 1
        if code == seccomp.RETURN:
            return int(value)
        if code == seccomp.LOAD:
            (held,) = struct.unpack_from("=I", data, value)
        else:
            place += skip_true if held == value else skip_false


def test_the_filter_holds_in_threads_that_were_there_before(file: BinaryIO) -> None:
    def action() -> list[str]:
        go, found = threading.Event(), []

        def try_it() -> None:
            go.wait()
            found.extend(attempts.attempt(file, {}, print)["allowed"])

        thread = threading.Thread(target=try_it)
        thread.start()
        seccomp.restrict()
        go.set()
        thread.join()
        return [f"allowed: {len(found)}"]

    assert in_a_fork(action) == ["allowed: 0"]
