"""Landlock (Linux 5.13 and later): a process gives up every right to files, TCP ports and others' processes for good.

The numbers are those of Linux's include/uapi/linux/landlock.h; the system calls have the same ones on every machine.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

CREATE_RULESET, RESTRICT_SELF = 444, 446  # numbers of system calls
VERSION_FLAG = 1  # flag of landlock_create_ruleset by which it tells its version and makes nothing
SET_NO_NEW_PRIVILEGES = 38  # operation of prctl that keeps programs from gaining rights

# Number of rights to files, each a bit, that a version of the interface knows: those of version 1, then moving between
# folders (2), cutting (3), controlling devices (5).
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
PORT_RIGHTS = 0b11  # binding and connecting TCP, from version 4 on
SCOPES = 0b11  # abstract Unix sockets and signals of processes outside, from version 6 on


def version() -> int:
    """Return the version of Landlock's interface that this kernel has, 0 when it has none."""
    if sys.platform != "linux":
        return 0
    return max(_call(CREATE_RULESET, None, 0, VERSION_FLAG), 0)


def restrict() -> int:
    """Give up all that Landlock can forbid, in this thread and what it starts; return the version, 0 for no Landlock.

    Descriptors that are open, and later received, stay usable.
    """
    known = version()
    if known < 1:
        return 0
    forbid_privileges()
    files = (1 << max(bits for since, bits in FILE_RIGHTS.items() if since <= known)) - 1
    fields = [files, PORT_RIGHTS if known >= 4 else 0, SCOPES if known >= 6 else 0]
    attributes = struct.pack("=3Q", *fields)[: 8 * (1 + (known >= 4) + (known >= 6))]
    rules = _call(CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return 0
    try:
        return known if _call(RESTRICT_SELF, rules, 0) == 0 else 0
    finally:
        os.close(rules)


def forbid_privileges() -> None:
    """Have programs that this process starts gain no rights, without which the kernel lets it not restrict itself."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(SET_NO_NEW_PRIVILEGES, *map(ctypes.c_ulong, (1, 0, 0, 0))) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _call(number: int, *arguments: bytes | int | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    passed = (one if one is None or isinstance(one, bytes) else ctypes.c_long(one) for one in arguments)
    return int(libc.syscall(ctypes.c_long(number), *passed))
