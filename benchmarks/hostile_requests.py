#!/usr/bin/env python3
"""Send 500 paths that lead elsewhere, 100 headers and 50 texts of markup to a service with keys: none may do harm.

    PYTHONPATH=. python benchmarks/hostile_requests.py CATALOG

A copy of CATALOG is served from a folder in which other files lie; a key is shown. Each answer has to be a problem
document, or what the same question without malice gets: JSON of its own, or a file of the page. No answer may hold what
is in the other files, a header of the sender's or HTML of the sender's; the files have to stay as they are; each line
of the log has to be one JSON object without keys. Then a report and, where Playwright is, the page show the markup.
Exit status 1 where something fails.
"""

from __future__ import annotations

import argparse
import hashlib
import html.parser
import itertools
import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.apps.hostile import MARKUP, UPS

import earmark
from earmark.apps.server.keys import Keys
from earmark.catalog.plays import Play, PlayedTrack

TRAVERSALS, HEADERS = 500, 100
CANARY = "canary-7f3a91"  # text of the files that nobody may read
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
INJECTED = b"x-injected"  # header that only the sender knows
PROGRAM = "import sys; from earmark.apps.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Service:
    """A service that runs, and the folder that it lies in."""

    port: int
    key: str
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def send(self, request: bytes) -> bytes:
        """Return all that comes back until the connection is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as one:
            one.sendall(request)
            answer = b""
            try:
                while piece := one.recv(1 << 16):
                    answer += piece
            except ConnectionResetError:
                pass
            return answer

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        """Send a request with the key; the path goes as it is."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.key}\r\nConnection: close\r\n"
        )
        if body or method in ("POST", "PUT", "PATCH"):
            head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        return self.send(head.encode("utf-8", "surrogateescape") + b"\r\n" + body)


def harm(answer: bytes, secrets: tuple[bytes, ...]) -> str:
    """Return what is wrong with an answer, '' for nothing."""
    head, _, body = answer.removeprefix(CONTINUE).partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    fields = dict(line.split(b": ", 1) for line in lines[1:] if b": " in line)
    kind, status = fields.get(b"content-type", b""), int(lines[0].split()[1]) if len(lines[0].split()) > 1 else 0
    if any(secret in answer for secret in secrets):
        return "it tells a secret"
    if any(INJECTED in line.split(b":")[0] for line in lines):
        return "it has a header of the sender's"
    if status >= 400:
        document = json.loads(body) if kind == b"application/problem+json" else {}
        return "" if status != 500 and document.get("status") == status and document["code"] else f"{status} {kind!r}"
    if status in (101, 204, 304):
        return ""
    is_page = b"<title>earmark</title>" in body or kind in (b"text/css; charset=utf-8", b"image/svg+xml")
    is_own = kind in (b"application/json", b"text/csv; charset=utf-8") or b"javascript" in kind or is_page
    is_safe = fields.get(b"x-content-type-options") == b"nosniff" and b"content-security-policy" in fields
    return "" if 200 <= status < 300 and is_own and is_safe else f"{status} {kind!r}"


def traversals() -> Iterator[tuple[str, str]]:
    """Yield (where it goes, path) without end."""
    targets = [
        "canary.txt",
        "keys.json",
        "own.earmark/catalog.db",
        "etc/passwd",
        "proc/self/environ",
        "C:/boot.ini",
        "%00",
    ]
    places = [
        "page",
        "page/vendor",
        "track",
        "ranges",
        "root",
        "clip",
        "station",
        "upload",
        "field",
        "query",
        "document",
    ]
    drawn = list(itertools.product(places, UPS, targets, (1, 4, 9)))
    random.Random(1).shuffle(drawn)
    for place, up, target, depth in drawn:
        yield place, f"{'/'.join([up] * depth)}/{target}"


def traversal(service: Service, place: str, path: str) -> bytes:
    """Send a path to one of the places that take names."""
    if place == "upload" or place == "field":
        name, file = ("file", path) if place == "upload" else (path, "x.wav")
        part = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\nRIFF\r\n--b--\r\n'
        return service.ask("POST", "/v1/tracks", part.encode(), "multipart/form-data; boundary=b")
    if place == "query":
        return service.ask("GET", f"/v1/plays?station={path}&track={path}&cursor={path}&since={path}")
    if place == "document":
        wanted = {"source": f"file:///{path}", "name": path, "zone": path}
        return service.ask("POST", "/v1/monitors", json.dumps(wanted).encode())
    if place == "station":
        return service.ask("DELETE", f"/v1/monitors/{path}")
    if place == "ranges":
        return service.ask("PUT", f"/v1/tracks/{path}/ranges", b'{"ranges": []}')
    root = {"page": "/page/", "page/vendor": "/page/vendor/", "track": "/v1/tracks/", "root": "/", "clip": "/v1/plays/"}
    return service.ask("GET", root[place] + path + ("/clip" if place == "clip" else ""))


def headers() -> list[bytes]:
    """Return lines of a head that would mislead."""
    evil = b"X-Injected: yes"
    values = [b"a\r\n" + evil, b"a\n" + evil, b"a\r" + evil, b"a\r\n " + evil, b"%0d%0a" + evil,
              b"\xe5\x98\x8a\xe5\x98\x8d" + evil,
              b"\x1b[31mred", b"a\x00b", b"\xff\xfe", b"A" * 20_000, b"A" * 70_000, b'{"level": "error"}']  # fmt: skip
    names = [b"User-Agent", b"Authorization", b"X-Request-Id", b"If-None-Match"]
    drawn = [name + b": " + value for name in names for value in values]
    hosts = [
        b"evil.example",
        b"evil.example:80@127.0.0.1",
        b"127.0.0.1.evil.example",
        b"[::1",
        b"",
        b"127.0.0.1:x",
        b"a\tb",
        b"localhost, evil",
    ]
    drawn += [b"Host: " + host for host in hosts]
    drawn += [
        b"Origin: " + one
        for one in (b"http://evil.example", b"null", b"file://", b"http://127.0.0.1@evil.example", b"http://[")
    ]
    drawn += [b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Site: same-site"]
    drawn += [
        b"Content-Length: " + one
        for one in (b"-1", b"99999999999999999999", b"0x10", b"4, 5", b"4\r\nContent-Length: 5", b"+4")
    ]
    drawn += [
        b"Transfer-Encoding: " + one
        for one in (b"chunked\r\nContent-Length: 4", b"xchunked", b"chunked, identity", b"\x0bchunked", b"gzip")
    ]
    drawn += [
        name + b": ../../etc/passwd"
        for name in (b"X-Original-URL", b"X-Rewrite-URL", b"Referer", b"Cookie", b"X-Forwarded-Prefix")
    ]
    drawn += [
        b"X-HTTP-Method-Override: DELETE",
        b"X-Forwarded-For: 127.0.0.1, ::1",
        b"X-Forwarded-Host: evil.example",
        b"X-Forwarded-Proto: javascript",
    ]
    drawn += [
        b"Range: bytes=" + b",".join(b"%d-%d" % (n, n + 1) for n in range(3_000)),
        b"Range: bytes=-1-1",
        b"Accept-Encoding: gzip;q=x",
        b"Expect: 100-continue",
    ]
    drawn += [
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk",
        b"Upgrade: websocket\r\nConnection: Upgrade",
    ]
    drawn += [
        b"Content-Type: " + one
        for one in (
            b"multipart/form-data",
            b"multipart/form-data; boundary=" + b"x" * 200,
            b"application/json; charset=utf-7",
            b"text/html",
        )
    ]
    drawn += [
        b" : no name",
        b"No colon",
        b"Bad name: 1",
        b"X(y): 1",
        b": empty",
        b"\x00: zero",
        b"Authorization: Bearer \r\n\tfolded",
    ]
    return drawn[:HEADERS]


def markup(service: Service, track: str, text: str) -> Iterator[tuple[str, bytes]]:
    """Send markup wherever a text goes, and yield what comes back."""
    words = json.dumps({"title": text, "artist": text, "album": text, "tags": {"comment": text}}).encode()
    ranges = json.dumps({"ranges": [{"start": 0, "end": 9, "payload": {"text": text, "link": text}}]}).encode()
    part = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{text}"\r\n\r\nRIFF\r\n--b--\r\n'.encode()
    yield "track", service.ask("PATCH", f"/v1/tracks/{track}", words)
    yield "ranges", service.ask("PUT", f"/v1/tracks/{track}/ranges", ranges)
    yield "upload", service.ask("POST", "/v1/tracks", part, "multipart/form-data; boundary=b")
    yield "station", service.ask("POST", "/v1/monitors", json.dumps({"source": text, "name": text}).encode())
    yield "unknown field", service.ask("POST", "/v1/monitors", json.dumps({text: text}).encode())
    for path in (
        "/v1/tracks?q=",
        "/v1/tracks/",
        "/v1/plays?station=",
        "/v1/plays?format=",
        "/v1/monitors/",
        "/page/",
        "/",
    ):
        yield path, service.ask("GET", path + quote(text, safe=""))


def requests(service: Service) -> int:
    """Send all, print how each sort was answered, and return how many did harm."""
    secrets = (CANARY.encode(), b"root:", service.key.encode(), b"sha256", b"SQLite format")
    track = json.loads(service.ask("GET", "/v1/tracks?limit=1").partition(b"\r\n\r\n")[2])["tracks"][0]["id"]
    sent: dict[str, list[tuple[str, bytes]]] = {
        "traversals": [(f"{place} {path}", traversal(service, place, path))
                       for place, path in itertools.islice(traversals(), TRAVERSALS)],
        "headers": [(line.decode("latin-1")[:80], service.send(with_header(line, service.key))) for line in headers()],
        "markup": [(f"{where}: {text}", answer) for text in MARKUP for where, answer in markup(service, track, text)],
    }  # fmt: skip
    failed = 0
    for sort, answers in sent.items():
        wrong = [(what, found) for what, answer in answers if (found := harm(answer, secrets))]
        for what, found in wrong:
            print(f"FAILED   {sort}: {what!r}: {found}", flush=True)
        counts = Counter(answer.removeprefix(CONTINUE).split(b" ", 2)[1].decode() for _, answer in answers)
        counted = ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))
        print(f"{len(answers)} requests of {sort}: {len(wrong)} did harm ({counted})", flush=True)
        failed += len(wrong)
    return failed


def with_header(line: bytes, key: str) -> bytes:
    host = b"" if line.lower().startswith(b"host:") else b"Host: 127.0.0.1\r\n"
    own = b"" if line.lower().startswith(b"authorization:") else b"Authorization: Bearer " + key.encode() + b"\r\n"
    return b"POST /v1/monitors HTTP/1.1\r\n" + host + own + b"Connection: close\r\n" + line + b"\r\n\r\n{}\r\n"


class Tags(html.parser.HTMLParser):
    """Counts tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = Counter[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counted.update([tag, *(name for name, _ in attrs)])


def reported(service: Service) -> int:
    """Have a report made of plays whose texts are markup, and return 1 if one of them is more than text."""
    report = service.folder.parent / "day.html"
    own = str(service.folder / "own.earmark")
    make = [sys.executable, "-c", PROGRAM, "plays", "--catalog", own, "--report", str(report)]
    subprocess.run(make, check=True, capture_output=True)
    tags = Tags()
    tags.feed(report.read_text())
    names = ("script", "img", "iframe", "details", "srcdoc")
    odd = [name for name in tags.counted if name.startswith("on") or name in names]
    count = sum(tags.counted.values())
    print(
        f"a report with {len(MARKUP)} texts of markup: {count} tags and attributes, of the sender's {odd}", flush=True
    )
    return bool(odd)


def shown(service: Service) -> int:
    """Have Chromium show the markup on each view, and return how many views did more than show it."""
    try:
        from playwright.sync_api import Dialog, sync_playwright
    except ImportError:
        print("no Playwright here, so the page was not looked at")
        return 0
    failed, chromium = 0, shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_init_script(f"localStorage.setItem('earmark.key', '{service.key}')")
        said = list[str]()

        def dismiss(dialog: Dialog) -> None:
            said.append("a dialog")
            dialog.dismiss()

        page.on("console", lambda one: said.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", dismiss)
        for view in ("catalog", "plays", "listen", "file"):
            page.goto(f"{service.url}/#/{view}")
            page.locator("main h1").wait_for(state="attached")
            if view in ("catalog", "plays"):
                page.locator(".row .cover").nth(len(MARKUP) - 1 if view == "plays" else 0).click()
                page.locator("dialog[open]").wait_for()
            odd = page.locator("main :is(script, img, iframe, style, details, a[href^=javascript])").count()
            failed += bool(odd or said)
            print(
                f"{'FAILED' if odd or said else 'harmless'}  {view}: {odd} elements of the sender's; said {said}",
                flush=True,
            )
            said.clear()
        browser.close()
    return failed


@contextmanager
def served(catalog: Path, folder: Path) -> Iterator[Service]:
    """Serve a copy of a catalog, with a key, in a folder beside files that are nobody's business."""
    own = shutil.copytree(catalog, folder / "own.earmark")
    key = Keys(folder / "keys.json").add("attacker", ("manage",))
    (folder / "canary.txt").write_text(CANARY)
    with earmark.open(own, read_only=True) as opened:
        for number, text in enumerate(MARKUP):
            track, now = PlayedTrack(f"t{number}", text, text, text, "", 200.0), time.time() - 100 * number
            opened.plays.save(
                Play(
                    text[:190],
                    track,
                    now - 90,
                    now,
                    0.0,
                    1.0,
                    90.0,
                    0.5,
                    0.99,
                    "accepted",
                    "foreground",
                    False,
                    note=text,
                )
            )
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        "serve",
        "--catalog",
        str(own),
        "--keys",
        str(folder / "keys.json"),
        "--port",
        "0",
    ]
    command += ["--anyone", "nothing", "--keep-clips", str(folder / "clips"), "--most-requests", "1000000"]
    with (folder.parent / "log").open("w+") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            while not (folder.parent / "log").read_text().startswith("serving"):
                time.sleep(0.1)
            port = int((folder.parent / "log").read_text().split("\n")[0].rpartition(":")[2].strip(" /"))
            yield Service(port, key, folder)
        finally:
            process.terminate()


def state_of(folder: Path) -> dict[str, str]:
    """Return the digests of all files but those of the catalog."""
    paths = [path for path in folder.rglob("*") if path.is_file() and "own.earmark" not in path.parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def bad_lines(log: str, key: str) -> list[str]:
    """Return lines of a log that are no JSON objects of printable ASCII, or hold a key or a canary.

    What is said to whoever starts the service comes before the first one.
    """

    def is_good(line: str) -> bool:
        try:
            event = json.loads(line)["event"]
        except (ValueError, LookupError):
            return False
        return bool(event) and line.isascii() and line.isprintable() and key not in line and CANARY not in line

    return [line for line in log[log.find("{") :].splitlines() if not is_good(line)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "house"
        folder.mkdir()
        with served(options.catalog, folder) as service:
            before = state_of(folder)
            failed = requests(service) + reported(service) + shown(service)
            after = state_of(folder)
        changed = [path for path in {*before, *after} if before.get(path) != after.get(path)]
        bad = bad_lines((Path(name) / "log").read_text(), service.key)
    print(f"files beside the catalog that changed: {changed}; bad lines of the log: {bad[:3]}")
    failed += len(changed) + len(bad)
    print(f"{failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
