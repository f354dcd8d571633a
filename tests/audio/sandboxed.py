"""What the tests of the sandbox have its child do, from honest to hostile."""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from earmark.errors import MediaError, OptionError

Heard = Callable[[float], None]


def warm_up(settings: dict[str, Any]) -> None:
    """Load what decoding needs, where it is needed: the other tasks start the sooner for being without."""
    if settings.get("decodes"):
        from earmark.audio.decode import load_decoders

        load_decoders()
    if "fails" in settings:
        raise OptionError(settings["fails"])


def read(file: BinaryIO, request: dict[str, Any], heard: Heard) -> dict[str, Any]:
    return {"content": file.read(), "request": request, "process": os.getpid()}


def fail(file: BinaryIO, request: dict[str, Any], heard: Heard) -> dict[str, Any]:
    match request["kind"]:
        case "media":
            raise MediaError("too_long", "longer than 3 s", 3.0)
        case "option":
            raise OptionError("loudness=11; give 0 to 10")
        case "other":
            raise ZeroDivisionError("a division by zero")
        case "signal":
            signal.raise_signal(signal.SIGSEGV)
        case "exit":
            os._exit(3)
        case "memory":
            return {"length": len(bytearray(3 << 30))}
        case "write":
            os.write(os.open(request["path"], os.O_WRONLY), b"a")
        case "received":
            os.write(file.fileno(), b"a")
        case "thread":
            threading.Thread(target=print).start()
        case "program":
            subprocess.run([sys.executable, "-V"], check=True)
        case "secrets":
            return {"environment": Path("/proc/self/environ").read_text()}
        case "environment":
            return {"environment": sorted(os.environ)}
    return {"process": os.getpid()}


def decoded(file: BinaryIO, request: dict[str, Any], heard: Heard) -> dict[str, Any]:
    """Decode a file, and tell exceptions that nobody foresaw from a file that is refused."""
    from earmark.audio.decode import decode

    try:
        with decode(file, rate=8_000, max_seconds=60) as audio:
            return {"seconds": sum(len(block) for block in audio) / 8_000}
    except MediaError:
        raise
    except Exception as error:
        return {"foreign": f"{type(error).__name__}: {error}"}


def work(file: BinaryIO, request: dict[str, Any], heard: Heard) -> dict[str, Any]:
    """Work for some steps of a tenth of a second of processor time, saying each time how much was heard."""
    for step in range(request["steps"]):
        end = time.process_time() + 0.1
        while time.process_time() < end:
            pass
        if request["heard"]:
            heard((step + 1) * request["heard"])
    return {"steps": request["steps"]}


def wait(file: BinaryIO, request: dict[str, Any], heard: Heard) -> dict[str, Any]:
    time.sleep(request["seconds"])
    return {}


def limits(file: BinaryIO, request: dict[str, Any], heard: Heard) -> dict[str, Any]:
    return {
        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "written": resource.getrlimit(resource.RLIMIT_FSIZE)[0],
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "processor": resource.getrlimit(resource.RLIMIT_CPU)[0],
        "interrupt": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    }


def answer_in_bytes(file: BinaryIO, request: dict[str, Any], heard: Heard) -> dict[str, Any]:
    """Answer what the request holds, past the protocol, as one would who has taken over the child."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=int(sys.argv[1]))
    connection.sendall(request["answer"])
    time.sleep(60)
    return {}


def framed(message: object) -> bytes:
    """Return a message as the protocol has it."""
    body = message if isinstance(message, bytes) else msgspec.msgpack.encode(message)
    return struct.pack("<I", len(body)) + body
