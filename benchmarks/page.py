#!/usr/bin/env python3
"""The page in a real Chromium: bytes to the first paint, time to the button, press to the answer, place on the screen.

    python benchmarks/page.py CATALOG --noise FOLDER [--music FOLDER] [--presses 30] [--minutes 3]

The microphone hears recordings of CATALOG whose files are below `--music`, from a second drawn by chance, in noise of
FOLDER at `--snr` decibels. It begins with a file when the page asks for it, which the kernel tells (inotify): so the
true place is known without asking the browser. Each press has a fresh profile, whose cache is empty.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from playwright.sync_api import TimeoutError as TooLate

import earmark
from earmark.audio.decode import load
from earmark.distort.levels import add_noise
from earmark.types import Samples, Track

RATE = 48_000  # Hz
PATIENCE_SECONDS = 20.0  # seconds after which a press has no answer
HEARD_SECONDS = 90.0  # seconds of a recording that the microphone has
PEAK = 0.5  # amplitude of the loudest sample
SUFFIXES = {".ogg", ".mp3", ".flac", ".opus", ".wav"}
IN_OPEN = 0x20  # inotify(7)
WATCH = """(() => {
    const look = () => {
        if (!window.ready && document.querySelector("button.listen")) window.ready = performance.now();
        if (!window.found && document.querySelector("article.found"))
            requestAnimationFrame(() => { window.found ??= performance.now(); });
    };
    new MutationObserver(look).observe(document, { childList: true, subtree: true });
})()"""
PRESS = """() => { const now = performance.now(); document.querySelector("button.listen").click(); return now; }"""
PAINTED = """() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN"""
SHOWN = """(seconds) => new Promise((done) => {
    const seen = [], end = performance.now() + 1000 * seconds;
    const look = () => {
        const bar = document.querySelector(".found .filled")?.style.transform.match(/scaleX\\((.*)\\)/);
        seen.push([performance.now() / 1000, bar ? Number(bar[1]) : NaN]);
        performance.now() < end ? requestAnimationFrame(look) : done(seen);
    };
    requestAnimationFrame(look);
})"""


@dataclass(frozen=True)
class Heard:
    """What the microphone hears: a recording from one of its seconds on."""

    track: Track
    start: float


class Microphone:
    """Chromium's microphone: a file, and when it was opened last."""

    def __init__(self, path: Path, tracks: Sequence[Track], noises: Sequence[Path], snr: float, seed: int) -> None:
        self.path, self._tracks, self._noises, self._snr = path, tracks, noises, snr
        self._draw, self.opened = np.random.default_rng(seed), 0.0
        path.touch()
        library = ctypes.CDLL(None, use_errno=True)
        self._events = library.inotify_init1(0)
        if library.inotify_add_watch(self._events, os.fsencode(path), IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
        threading.Thread(target=self._note, daemon=True).start()

    def _note(self) -> None:
        while os.read(self._events, 4096):
            self.opened = time.monotonic()

    def load(self) -> Heard:
        """Put another recording in noise before the microphone."""
        track = self._tracks[int(self._draw.integers(len(self._tracks)))]
        start = float(self._draw.uniform(0, track.seconds - HEARD_SECONDS))
        music = load(track.path, rate=RATE)[0][round(start * RATE) :][: round(HEARD_SECONDS * RATE)]
        sound = add_noise(music, self._noise(len(music)), self._snr, rate=RATE)
        sound *= PEAK / np.abs(sound).max()
        with wave.open(str(self.path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes((sound * 32_767).astype("<i2").tobytes())
        return Heard(track, start)

    def _noise(self, length: int) -> Samples:
        while True:
            path = self._noises[int(self._draw.integers(len(self._noises)))]
            noise = load(path, rate=RATE)[0]
            if len(noise) > RATE and np.abs(noise).max() > 0:
                return np.resize(noise, length)


class Transferred:
    """Bytes that a page has received, heads included."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._add)

    def _add(self, event: dict[str, Any]) -> None:
        self.bytes += int(event["encodedDataLength"])


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[tuple[Page, Transferred]]:
    """Open the page with an empty cache, and wait until its button is there."""
    context: BrowserContext = browser.new_context(permissions=["microphone"])
    page = context.new_page()
    page.add_init_script(WATCH)
    transferred = Transferred(page)
    page.goto(url)
    page.locator("button.listen").wait_for()
    yield page, transferred
    context.close()


def presses(browser: Browser, url: str, microphone: Microphone, count: int) -> None:
    """Print how long it takes from pressing the button to the answer."""
    painted, ready, answered, sizes, wrong, missed = list[float](), list[float](), list[float](), list[int](), 0, 0
    for number in range(count):
        heard = microphone.load()
        with opened(browser, url) as (page, transferred):
            page.wait_for_load_state("networkidle")
            sizes.append(transferred.bytes)
            painted.append(page.evaluate(PAINTED) / 1000)
            ready.append(page.evaluate("window.ready") / 1000)
            began = page.evaluate(PRESS)
            try:
                page.locator("article.found").wait_for(timeout=1000 * PATIENCE_SECONDS)
            except TooLate:
                missed += 1
                print(f"press {number + 1}: no answer to {heard.track.path} from {heard.start:.1f} s", flush=True)
                continue
            seconds = (page.evaluate("window.found") - began) / 1000
            said = page.locator("article.found h2").text_content() or ""
            is_right = said == (heard.track.title or Path(heard.track.path).name)
            wrong += not is_right
            answered.append(seconds)
            print(f"press {number + 1}: {seconds:.2f} s, {'right' if is_right else f'WRONG: {said}'}; "
                  f"{os.getloadavg()[0]:.1f} programs busy", flush=True)  # fmt: skip
    print(f"first paint: {max(sizes) / 1000:.1f} kB transferred, after {spread(painted)}")
    print(f"interactive after {spread(ready)}")
    print(f"press to answer: {spread(answered)}; {wrong} of another title, {missed} without an answer", flush=True)


def minutes(browser: Browser, url: str, microphone: Microphone, count: int) -> None:
    """Print how far the place on the screen is from the true one, over a minute of recordings."""
    for _ in range(count):
        heard = microphone.load()
        with opened(browser, url) as (page, _):
            page.evaluate(PRESS)
            try:
                page.get_by_text("In step").wait_for(timeout=1000 * PATIENCE_SECONDS)
            except TooLate:
                print(f"no answer to {heard.track.path} from {heard.start:.1f} s", flush=True)
                continue
            began, ahead = microphone.opened, clock_of(page)
            seen = np.array(page.evaluate(SHOWN, 60), float)
        true = heard.start + seen[:, 0] + ahead - began
        errors = 1000 * (seen[:, 1] * heard.track.seconds - true)
        there = errors[np.isfinite(errors)]
        low, middle, high = np.quantile(there, [0.01, 0.5, 0.99])
        print(f"a minute: {len(there)} of {len(errors)} pictures with a place; off by {middle:+.0f} ms (median), "
              f"{low:+.0f} to {high:+.0f} ms (98 %), {np.abs(there).max():.0f} ms at most; "
              f"{os.getloadavg()[0]:.1f} programs busy", flush=True)  # fmt: skip


def clock_of(page: Page) -> float:
    """Return seconds from the page's clock to this program's, by the quickest of some answers."""
    tries = list[tuple[float, float]]()
    for _ in range(30):
        before = time.monotonic()
        theirs = page.evaluate("performance.now()") / 1000
        after = time.monotonic()
        tries.append((after - before, (before + after) / 2 - theirs))
    return min(tries)[1]


def spread(seconds: Sequence[float]) -> str:
    """Return the median and the 90th percentile."""
    if not seconds:
        return "nothing"
    middle, high = np.quantile(seconds, [0.5, 0.9])
    return f"{middle:.2f} s (median), {high:.2f} s (90 %), {max(seconds):.2f} s (longest of {len(seconds)})"


@contextmanager
def served(catalog: Path) -> Iterator[str]:
    """Run a service that only reads, and give its address once it is warm."""
    program = "import sys; from earmark.apps.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "serve", "--catalog", str(catalog), "--port", "0", "--read-only"]
    with subprocess.Popen([*command, "--most-requests", "1000000"], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            url = process.stderr.readline().rpartition(" ")[2].strip()
            threading.Thread(target=process.stderr.read, daemon=True).start()
            while not is_warm(url):
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()


def is_warm(url: str) -> bool:
    connection = HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=10)
    connection.request("GET", "/readyz")
    return connection.getresponse().status == 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--noise", type=Path, required=True)
    parser.add_argument("--music", type=Path, default=Path("/"), help="only recordings below this folder")
    parser.add_argument("--snr", type=float, default=10.0, help="decibels")
    parser.add_argument("--presses", type=int, default=30)
    parser.add_argument("--minutes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with earmark.open(options.catalog, read_only=True) as catalog:
        below = [track for track in catalog if Path(track.path).is_relative_to(options.music.resolve())]
    tracks = [track for track in below if track.seconds > HEARD_SECONDS and Path(track.path).exists()]
    noises = sorted(
        path for path in options.noise.rglob("*") if path.suffix in (".ogg", ".wav", ".flac", ".opus", ".mp3")
    )
    print(f"{len(tracks)} recordings, {len(noises)} noises, {options.snr:g} dB", flush=True)
    with tempfile.TemporaryDirectory() as folder, served(options.catalog) as url, sync_playwright() as started:
        microphone = Microphone(Path(folder) / "heard.wav", tracks, noises, options.snr, options.seed)
        arguments = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        arguments.append(f"--use-file-for-fake-audio-capture={microphone.path}")
        browser = started.chromium.launch(executable_path=chromium, args=arguments)
        if options.presses:
            presses(browser, url, microphone, options.presses)
        minutes(browser, url, microphone, options.minutes)
        browser.close()


if __name__ == "__main__":
    main()
