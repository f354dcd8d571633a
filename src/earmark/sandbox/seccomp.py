"""Seccomp (Linux): the list of system calls that a child may still make; every other one fails with EPERM.

It can use memory, read, move about in and close descriptors that it has, and speak on its socket; not open or write a
file, connect, start a thread or program, or signal a process. The list is for x86_64 and aarch64.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

from earmark.sandbox.landlock import forbid_privileges

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column in `NUMBERS`, AUDIT_ARCH of linux/audit.h
SECCOMP = (317, 277)  # number of the system call itself, by column
# Linux's numbers (asm/unistd_64.h; asm-generic/unistd.h). None: aarch64 has no such call.
NUMBERS: dict[str, tuple[int, int | None]] = {
    "futex": (202, 98),
    "read": (0, 63),
    "readv": (19, 65),
    "pread64": (17, 67),
    "lseek": (8, 62),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "close": (3, 57),
    "fstat": (5, 80),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    "brk": (12, 214),
    "poll": (7, None),
    "ppoll": (271, 73),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "getrandom": (318, 278),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getcpu": (309, 168),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "membarrier": (324, 283),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
# Calls that may be made only with certain values of one argument: numbers, the argument's place, and the values; None
# stands for this process. So limits and signals reach nobody else, and no command of fcntl makes the kernel send one.
GUARDED: dict[str, tuple[tuple[int, int], int, tuple[int | None, ...]]] = {
    "prlimit64": ((302, 261), 0, (0, None)),
    "tgkill": ((234, 131), 0, (None,)),
    "fcntl": ((72, 25), 1, (1, 3)),  # F_GETFD, F_GETFL
    "newfstatat": ((262, 79), 3, (0x1000,)),  # AT_EMPTY_PATH, as glibc asks about a descriptor
}

# Berkeley packet filters (linux/bpf_common.h, linux/seccomp.h): codes, and what a program answers.
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE = 0x00050000 | errno.EPERM
NUMBER_PLACE, MACHINE_PLACE, ARGUMENTS_PLACE = 0, 4, 16  # bytes into seccomp_data; an argument has 8, low ones first
SET_FILTER, EVERY_THREAD = 1, 1  # SECCOMP_SET_MODE_FILTER; SECCOMP_FILTER_FLAG_TSYNC


def restrict() -> bool:
    """Have the kernel refuse this process, in all its threads, what is not listed; return whether it does."""
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in MACHINES or struct.calcsize("P") != 8:
        return False
    forbid_privileges()
    column, _ = MACHINES[machine]
    filters = program(machine, os.getpid())
    held = ctypes.create_string_buffer(filters, len(filters))
    described = ctypes.create_string_buffer(struct.pack("@HP", len(filters) // 8, ctypes.addressof(held)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    numbers = (ctypes.c_long(number) for number in (SECCOMP[column], SET_FILTER, EVERY_THREAD))
    return int(libc.syscall(*numbers, described)) == 0


def program(machine: str, process: int) -> bytes:
    """Return the filter for a kind of machine and a process, 8 bytes an instruction."""
    column, architecture = MACHINES[machine]
    steps = [
        _step(LOAD, MACHINE_PLACE),
        _step(JUMP_IF_EQUAL, architecture, skip_true=1),
        _step(RETURN, KILL),
        _step(LOAD, NUMBER_PLACE),
    ]
    for numbers in NUMBERS.values():
        if (number := numbers[column]) is not None:
            steps += [_step(JUMP_IF_EQUAL, number, skip_false=1), _step(RETURN, ALLOW)]
    for guarded, place, values in GUARDED.values():
        tests = [process if value is None else value for value in values]
        body = [_step(LOAD, ARGUMENTS_PLACE + 8 * place)]
        for value in tests:
            body += [_step(JUMP_IF_EQUAL, value, skip_false=1), _step(RETURN, ALLOW)]
        body += [_step(RETURN, REFUSE)]
        steps += [_step(JUMP_IF_EQUAL, guarded[column], skip_false=len(body)), *body]
    return b"".join([*steps, _step(RETURN, REFUSE)])


def _step(code: int, value: int, *, skip_true: int = 0, skip_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, skip_true, skip_false, value)
