#!/usr/bin/env python3
"""Kill a real Icecast under a monitor again and again while one recording is on air: it has to stay one play.

    python benchmarks/icecast.py CATALOG RECORDING [--kills 20] [--up 15] [--down 2]

Needs icecast2 and ffmpeg (apt-get install icecast2 ffmpeg). RECORDING is one that CATALOG knows; it plays on while the
server is down, as a radio's studio does.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import earmark

CONFIG = """<icecast>
<limits><clients>20</clients><sources>2</sources></limits>
<authentication><source-password>hackme</source-password><admin-password>hackme</admin-password></authentication>
<hostname>localhost</hostname>
<listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
<paths><logdir>{folder}</logdir><webroot>/usr/share/icecast2/web</webroot>
<adminroot>/usr/share/icecast2/admin</adminroot></paths>
<logging><errorlog>error.log</errorlog></logging>
<security><changeowner><user>nobody</user><group>nogroup</group></changeowner></security>
</icecast>"""


class Studio:
    """An Icecast and the source that feeds it."""

    def __init__(self, folder: Path, recording: Path) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        folder.chmod(0o777)
        self._config, self._recording = folder / "icecast.xml", recording
        self._config.write_text(CONFIG.format(port=self.port, folder=folder))
        self._began = time.monotonic()
        self._running: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/live.mp3"

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def start(self) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._running = [subprocess.Popen(["icecast2", "-c", str(self._config)], **quiet)]  # type: ignore[call-overload]
        while not self._answers():
            time.sleep(0.05)
        source = f"icecast://source:hackme@127.0.0.1:{self.port}/live.mp3"
        command = [
            "ffmpeg",
            "-re",
            "-ss",
            f"{self.elapsed:.3f}",
            "-i",
            str(self._recording),
            "-vn",
            "-c:a",
            "libmp3lame",
        ]
        command += ["-b:a", "128k", "-content_type", "audio/mpeg", "-f", "mp3", source]
        self._running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, **quiet))  # type: ignore[call-overload]

    def kill(self) -> None:
        for one in self._running:
            one.kill()
            one.wait()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--up", type=float, default=15.0)
    parser.add_argument("--down", type=float, default=2.0)
    options = parser.parse_args()
    settings = earmark.MonitorOptions(allows_private=True)
    with tempfile.TemporaryDirectory() as folder, earmark.open(options.catalog, read_only=True) as catalog:
        studio = Studio(Path(folder), options.recording)
        name, plays = f"icecast-{time.time_ns()}", {}
        studio.start()
        with earmark.Monitor(catalog, [earmark.Station(name, studio.url)], options=settings) as monitor:

            def disturb() -> None:
                for _ in range(options.kills):
                    time.sleep(options.up)
                    studio.kill()
                    time.sleep(options.down)
                    studio.start()
                time.sleep(options.up)
                studio.kill()
                monitor.remove(name)

            thread = threading.Thread(target=disturb)
            thread.start()
            gaps, connections = 0, False
            while thread.is_alive():
                for event in monitor.events():
                    gaps += event.kind == "gap"
                    connections |= event.kind == "first_heard"
                    if event.play is not None:
                        plays[event.play.number] = event.play
            thread.join()
        kept = [play for play in catalog.plays.find(station=name) if play.state != "rejected"]
        for play in kept:
            print(f"{play.track.title or play.track.path}: {play.seconds:.1f} s, share {play.share:.3f}, {play.state}")
        print(f"{options.kills} kills, {gaps} gaps, {len(kept)} plays; on air for {studio.elapsed:.0f} s")


if __name__ == "__main__":
    main()
