"""Services that really run, on a catalog of four bundled excerpts."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

import earmark
from earmark.apps.server.keys import Keys
from earmark.apps.server.run import Server, bound_socket, make_server
from earmark.apps.server.settings import Limits, ServerSettings

KNOWN = ("angus", "pulse", "castle", "pen")
STARTING_SECONDS = 60.0


@dataclass
class Running:
    """A service that runs, and how to call it."""

    port: int
    server: Server
    settings: ServerSettings
    client: httpx.Client

    @property
    def service(self):
        return self.server._service

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running(settings: ServerSettings) -> Iterator[Running]:
    bound, ports, ready = bound_socket(settings), [], threading.Event()

    def started(port: int) -> None:
        ports.append(port)
        ready.set()

    server = make_server(settings, started)
    thread = threading.Thread(target=server.run, args=([bound],))
    thread.start()
    try:
        assert ready.wait(STARTING_SECONDS)
        with httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", timeout=60) as client:
            while client.get("/readyz").status_code == 503:
                threading.Event().wait(0.05)
            yield Running(ports[0], server, settings, client)
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory, music: Sequence[Path]) -> Path:
    """A catalog that nobody changes."""
    path = tmp_path_factory.mktemp("known") / "known.earmark"
    with earmark.open(path) as catalog:
        catalog.add([one for one in music if one.stem in KNOWN])
    return path


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory, known: Path) -> Callable[..., object]:
    """serve(limits, **settings) runs a service on a copy of the catalog, as a context."""

    def run(limits: Limits | None = None, *, keys: Sequence[tuple[str, str]] = (), **settings: object):
        folder = tmp_path_factory.mktemp("service")
        shutil.copytree(known, folder / "own.earmark")
        for name, scope in keys:
            (folder / name).write_text(Keys(folder / "keys.json").add(name, (scope,)))
        generous = Limits(requests_a_minute=1_000_000)
        settings.setdefault("workers", 1)  # each takes a second to start
        return running(
            ServerSettings(folder / "own.earmark", folder / "keys.json", port=0, limits=limits or generous, **settings)
        )

    return run


@pytest.fixture(scope="session")
def service(serve: Callable[..., object]) -> Iterator[Running]:
    """One service for all questions."""
    with serve() as one:
        yield one


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory, music: Sequence[Path]) -> Callable[..., bytes]:
    """clips(name, start, seconds) is that piece of a recording as a WAV file."""
    import io

    import soundfile

    paths = {one.stem: one for one in music}

    def clip(name: str, start: float = 5.0, seconds: float = 5.0) -> bytes:
        samples, rate = soundfile.read(
            paths[name], start=round(start * 48_000), frames=round(seconds * 48_000), dtype="float32"
        )
        file = io.BytesIO()
        soundfile.write(file, samples, rate, format="WAV")
        return file.getvalue()

    return clip


def problem_of(response: httpx.Response) -> str:
    """Return a problem document's code, having looked at its form."""
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert set(document) == {"type", "title", "status", "detail", "code", "instance"}
    assert document["status"] == response.status_code
    return document["code"]


def children_of(process: int) -> list[int]:
    """Return the numbers of a process's children."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(number) for task in tasks for number in task.read_text().split()]


def is_running(process: int) -> bool:
    """Return whether a process runs, whether or not somebody has asked how it ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(ask: Callable[[], object], *, seconds: float = 60.0) -> object:
    """Return what `ask` says as soon as that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := ask():
            return found
        time.sleep(0.005)
    raise AssertionError("it did not come to pass")
