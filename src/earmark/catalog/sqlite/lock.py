"""One writer at a time: a flock on `writer.lock`, which the kernel frees when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path

import msgspec

from earmark.errors import CatalogError, CatalogLocked
from earmark.regular import open_regular
from earmark.schema import prepared


class _Holder(msgspec.Struct):
    """Who holds the lock, for the message to the others."""

    pid: int
    host: str


class WriterLock:
    """The right to write to a catalog, from construction to `release`."""

    def __init__(self, path: Path) -> None:
        """Take the lock; raises CatalogLocked at once, naming process and host, when another has it."""
        try:
            self._descriptor = open_regular(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise CatalogError(
                f"{path}: {error.strerror}; open the catalog with read_only=True to search it"
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"{path.parent} is being written to by {_read_holder(self._descriptor)}"
            os.close(self._descriptor)
            raise CatalogLocked(f"{message}; wait for it, or only search it (read_only=True)") from error
        except OSError as error:
            os.close(self._descriptor)
            remedy = "open it with read_only=True, or keep it on a disk of this machine"
            raise CatalogError(f"{path} cannot be locked ({error.strerror}): {remedy}") from error
        self._holder = os.getpid()
        holder = msgspec.json.encode(_Holder(self._holder, socket.gethostname()))
        try:
            if os.fstat(self._descriptor).st_nlink > 1:  # a file that is somewhere else too is locked, not written to
                return
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, holder, 0)
        except OSError as error:
            os.close(self._descriptor)
            raise CatalogError(f"{path}: {error.strerror}; free some space, then open the catalog again") from error

    def release(self) -> None:
        """Let another process write; a second call does nothing.

        A child that was forked has a part in the lock: its parent ends that, and the child itself nothing.
        """
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            if self._holder == os.getpid():
                with suppress(OSError):  # closing frees it too, unless a forked child holds it
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
            with suppress(OSError):  # of a failing disk: it says nothing about what was written
                os.close(descriptor)


def _read_holder(descriptor: int) -> str:
    try:
        holder = msgspec.json.decode(os.pread(descriptor, 4096, 0), type=prepared(_Holder))
    except (msgspec.DecodeError, RecursionError, OSError):  # it has taken the lock and not signed yet
        return "another process"
    return f"process {holder.pid} on {holder.host}"
