"""`earmark serve` as a process of its own."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from tests.apps.server.conftest import children_of, is_running, wait_for

from earmark.apps.cli import main
from earmark.apps.cli.options import host_name
from earmark.apps.server.run import bound_socket
from earmark.apps.server.settings import ServerSettings
from earmark.errors import OptionError


@contextmanager
def served(tmp_path, catalog, *options) -> Iterator[tuple[subprocess.Popen, str]]:
    """Run the command on a free port, and give it with its address."""
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    command = [sys.executable, "-c", "import sys; from earmark.apps.cli import main; sys.exit(main())"]
    with subprocess.Popen(
        [*command, "serve", "--catalog", str(catalog), "--port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            line = process.stderr.readline()
            assert line.startswith("serving "), line
            yield process, line.split(" at ")[1].strip()
        finally:
            process.kill()


def test_it_serves_and_ends_gracefully_with_what_is_asked(tmp_path, known, clips):
    with served(tmp_path, known, "--read-only") as (process, url), httpx.Client(base_url=url, timeout=60) as client:
        while client.get("/readyz").status_code != 200:
            time.sleep(0.05)
        assert client.post("/v1/identify", content=clips("pulse")).json()["matches"]
        clip, workers = clips("pulse", 0, 30), children_of(process.pid)

        def slowly():
            yield clip[:1_000]
            for number in (process.pid, *workers):  # as systemd does
                os.kill(number, signal.SIGTERM)
            time.sleep(0.3)
            yield clip[1_000:]

        assert client.post("/v1/identify", content=slowly()).json()["matches"]
        assert process.wait(timeout=20) == 0
        assert not any(map(is_running, workers))
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
        assert [line["path"] for line in lines if line["event"] == "request"] == ["/v1/identify"] * 2


def test_nothing_is_left_of_one_that_is_killed(tmp_path, known):
    with served(tmp_path, known, "--workers", "1") as (process, url):
        while httpx.get(f"{url}readyz").status_code != 200:
            time.sleep(0.05)
        children = children_of(process.pid)
        left = [*children, *(number for child in children for number in children_of(child))]
        assert len(left) >= 2  # the worker, and what decodes for it
        process.kill()
        wait_for(lambda: not any(map(is_running, left)))


def test_a_certificate_of_its_own_is_made_once(tmp_path, known):
    for _ in range(2):
        with served(tmp_path, known, "--tls", "self-signed", "--name", "music.example") as (_, url):
            assert url.startswith("https://")
            certificate = tmp_path / "config" / "earmark" / "tls" / "certificate.pem"
            trusting = ssl.create_default_context(cafile=certificate)
            answer = httpx.get(f"{url}livez", verify=trusting, headers={"Host": "music.example"})
            assert answer.status_code == 200
            made = certificate.read_bytes()
    assert certificate.read_bytes() == made
    assert (certificate.parent / "key.pem").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("settings", "scope"),
    [
        ({}, "manage"),
        ({"host": "0.0.0.0"}, ""),
        ({"names": ("music.example",)}, ""),
        ({"behind_proxy": True}, ""),
        ({"host": "0.0.0.0", "anyone": "identify"}, "identify"),
        ({"anyone": ""}, ""),
    ],
)
def test_a_key_is_needed_as_soon_as_others_can_call(tmp_path, settings, scope):
    assert ServerSettings(tmp_path, tmp_path / "keys.json", **settings).scope_of_anyone == scope


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "203.0.113.1"], "this machine has no address 203.0.113.1; give --host one that it has"),
        (["--port", "99999"], "'99999' is not a port, a whole number from 0 to 65535"),
        (["--tls", "cert.pem"], "--tls-key belongs to --tls"),
        (["--tls-key", "key.pem"], "--tls-key belongs to --tls"),
        (["--tls", "cert.pem", "--tls-key", "key.pem"], "cert.pem is no file; give the PEM files of a certificate"),
        (["--tls", __file__, "--tls-key", __file__], "are no certificate and its own key in PEM; give others"),
        (["--host", "300.1.1.1"], "this machine has no address 300.1.1.1; give --host one that it has"),
        (["--name", "https://music.example"], "'https://music.example' is not a host's name, as music.example.org"),
        (["--name", "music.example:8000"], "without port or path"),
    ],
)
def test_what_cannot_be_served_is_said(tmp_path, known, capsys, monkeypatch, options, said):
    for name in ("earmark.server", "uvicorn.error"):  # they would write to this test's standard error ever after
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    keys = ["--keys", str(tmp_path / "keys.json")]
    assert main(["serve", "--catalog", str(known), "--read-only", *keys, *options]) == 2
    assert said in capsys.readouterr().err


def test_other_machines_reach_it_by_the_name_of_this_one(tmp_path):
    def settings(host):
        return ServerSettings(tmp_path, tmp_path / "keys.json", host=host, port=8000)

    assert settings("0.0.0.0").address == "http://localhost:8000/"
    assert settings("0.0.0.0").address_elsewhere == f"http://{socket.gethostname()}:8000/"
    assert settings("127.0.0.1").address_elsewhere == ""


def test_a_host_may_have_any_letters():
    assert host_name("Müsic.example.org") == "xn--msic-0ra.example.org"
    assert host_name("localhost") == "localhost"
    assert host_name("music.example.org.") == "music.example.org"


def test_a_port_that_is_taken_is_said(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = ServerSettings(tmp_path, tmp_path / "keys.json", port=port)
        with pytest.raises(OptionError, match=f"another program listens at 127.0.0.1:{port} already; end it, or"):
            bound_socket(settings)
