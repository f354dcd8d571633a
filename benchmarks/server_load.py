"""What a service takes: a clip posted again and again, by several clients, by a greedy one, by ten times too many.

    python benchmarks/server_load.py music.earmark clips/*.wav

It starts `earmark serve` on a free port of this machine; the catalog is only read. A figure is printed a line.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from earmark.apps.server.keys import Keys

SLOW_SOCKETS = 200
POLITE = 5
PAUSE_SECONDS = 0.5  # seconds from one question of a polite client to the next


@dataclass
class Asked:
    """What clients saw: seconds of each answer, and how many were refused or failed."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def line(self) -> str:
        """Return median, p95, p99 and counts."""
        ordered = sorted(self.seconds)
        if not ordered:
            return f"none answered, {self.refused} refused, {self.failed} failed"
        median, p95, p99 = (1000 * ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.5, 0.95, 0.99))
        counts = f"{len(ordered)} answered, {self.refused} refused, {self.failed} failed"
        return f"median {median:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms; {counts}"


def main() -> None:
    """Run every scene."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each scene")
    options = parser.parse_args()
    clips = [path.read_bytes() for path in options.clips]
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys(Path(folder) / "keys.json")
        names = ("greedy", *(f"polite {n}" for n in range(POLITE)), *(f"client {n}" for n in range(80)))
        shown = {name: keys.add(name, ("identify",)) for name in names}
        with served(options.catalog, keys.path) as (process, port):
            scenes(process, port, clips, shown, options.seconds)


def scenes(process: int, port: int, clips: Sequence[bytes], keys: dict[str, str], seconds: float) -> None:
    """Print a line a scene."""

    def run(names: Sequence[str], *, pause: float = 0.0, until: float | None = None) -> Asked:
        asked, end = Asked(), time.monotonic() + (seconds if until is None else until)
        threads = [threading.Thread(target=ask, args=(port, keys[name], clips, n, asked, end, pause))
                   for n, name in enumerate(names)]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return asked

    polite = [f"polite {n}" for n in range(POLITE)]
    run(["client 70", "client 71"], until=3.0)
    used = processor_seconds(process)
    alone = run(["client 72"])  # clients of one scene only: the line remembers who asked much
    used = 1000 * (processor_seconds(process) - used) / max(len(alone.seconds), 1)
    print(f"one client: {alone.line()}; {used:.0f} ms of processor time a question", flush=True)
    print(f"8 clients: {run([f'client {n}' for n in range(8)]).line()}", flush=True)
    print(f"{POLITE} polite clients alone: {run(polite, pause=PAUSE_SECONDS).line()}", flush=True)
    greedy = threading.Thread(target=run, args=(["greedy"] * 8,))
    greedy.start()
    print(f"{POLITE} polite clients and a greedy one: {run(polite, pause=PAUSE_SECONDS).line()}", flush=True)
    greedy.join()
    print(f"memory, of which its own: {memory_line(process)}", flush=True)
    before = sum(memory_of(one)["Pss"] for one in family(process))
    asked = run([f"client {n}" for n in range(80)], until=2 * seconds)
    grown = (sum(memory_of(one)["Pss"] for one in family(process)) - before) / 1e6
    print(f"80 clients: {asked.line()}; memory {grown:+.0f} MB", flush=True)
    head = f"POST /v1/identify HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {keys['greedy']}\r\n".encode()
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(SLOW_SOCKETS)]
    for number, one in enumerate(slow):
        one.sendall(b"GET / HTTP/1.1\r\nHo" if number % 2 else head + b"Content-Length: 9999\r\n\r\nR")
    began = time.monotonic()
    print(f"beside {SLOW_SOCKETS} slow sockets: {run(['client 0'], until=5.0).line()}", flush=True)
    for one in slow:
        one.settimeout(30)
        while one.recv(1 << 16):
            pass
    print(f"slow sockets closed after {time.monotonic() - began:.1f} s", flush=True)


def ask(port: int, key: str, clips: Sequence[bytes], first: int, asked: Asked, end: float, pause: float) -> None:
    """Post clips one after the other until a moment; whoever is refused waits as long as they are told."""
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    number = first
    while time.monotonic() < end:
        began = time.monotonic()
        number += 1
        try:
            connection.request("POST", "/v1/identify", clips[number % len(clips)], {"Authorization": f"Bearer {key}"})
            response = connection.getresponse()
            response.read()
        except OSError:
            connection.close()
            with asked.lock:
                asked.failed += 1
            continue
        with asked.lock:
            if response.status == 200:
                asked.seconds.append(time.monotonic() - began)
            elif response.status in (429, 503):
                asked.refused += 1
            else:
                asked.failed += 1
        if response.status in (429, 503):
            connection.close()  # the service closes what is idle
            time.sleep(min(float(response.headers["Retry-After"]), max(0.0, end - time.monotonic())))
        time.sleep(pause)
    connection.close()


@contextmanager
def served(catalog: Path, keys: Path) -> Iterator[tuple[int, int]]:
    """Run the service, and give its process and port once it is warm."""
    program = "import sys; from earmark.apps.cli import main; sys.exit(main())"
    options = ["--port", "0", "--read-only", "--keys", str(keys), "--anyone", "nothing", "--most-requests", "1000000"]
    command = [sys.executable, "-c", program, "serve", "--catalog", str(catalog), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            port = int(process.stderr.readline().rpartition(":")[2].strip(" /\n"))
            threading.Thread(target=process.stderr.read, daemon=True).start()
            wait_until(lambda: status_of(port) == 200)
            yield process.pid, port
        finally:
            process.terminate()


def status_of(port: int) -> int:
    """Return the status of the service's readiness."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/readyz")
    return connection.getresponse().status


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    while not is_so():
        time.sleep(0.1)


def family(process: int) -> list[int]:
    """Return a process and all that it and its children started."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [process, *(number for child in children for number in family(child))]


def processor_seconds(process: int) -> float:
    """Return the processor time of a process and its family."""
    fields = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in family(process)]
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def memory_of(process: int) -> dict[str, int]:
    """Return bytes of memory by kind: `Pss` has a share of what is shared, `Pss_Anon` what a process has alone."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    return {kind: 1024 * int(rest.split()[0]) for kind, rest in (line.split(":") for line in lines)}


def memory_line(process: int) -> str:
    """Return how much memory each process of the family takes."""
    return "; ".join(
        f"{role_of(one)} {memory['Pss'] / 1e6:.0f} ({memory['Pss_Anon'] / 1e6:.0f}) MB"
        for one in family(process)
        for memory in [memory_of(one)]
    )


def role_of(process: int) -> str:
    """Return what a process of the family is."""
    command = Path(f"/proc/{process}/cmdline").read_text()
    return "decoder" if "sandbox.child" in command else "worker" if "server.worker" in command else "service"


if __name__ == "__main__":
    print(f"{statistics.fmean(os.getloadavg()):.1f} processes wait for a core already", flush=True)
    main()
