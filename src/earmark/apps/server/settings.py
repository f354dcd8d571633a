"""What a service is started with: who may ask, how much, and how long it waits."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

IDENTIFY, MANAGE = "identify", "manage"  # scopes: ask questions; read figures and change the catalog too
SCOPES = (IDENTIFY, MANAGE)
ANY_ADDRESS = ("0.0.0.0", "::")  # hosts that stand for every address of the machine


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request, one caller and all of them together may take."""

    upload_bytes: int = 200_000_000  # bytes of one body; three hours of MP3
    uploads_bytes: int = 2_000_000_000  # bytes of all bodies on the disk at once
    document_bytes: int = 5_000_000  # bytes of a JSON document or a fingerprint
    clip_seconds: float = 3 * 3600.0  # seconds of sound in one question
    track_seconds: float = 24 * 3600.0  # seconds of sound in one track
    header_seconds: float = 10.0  # seconds in which a request's head has to be there
    grace_seconds: float = 10.0  # seconds in which a body may be slow
    body_bytes_a_second: int = 8_000  # bytes a second of a body after that, as of a phone on a bad line
    waiting: int = 64  # questions in line
    waiting_of_one: int = 16  # questions in line of one caller, and their bodies
    waiting_seconds: float = 10.0  # seconds that the last in line may wait, by what questions take
    requests_a_minute: int = 600  # of one caller
    connections: int = 512
    listeners: int = 16  # sounds listened to at once
    listeners_of_one: int = 4  # of one caller
    listening_seconds: float = 4 * 3600.0  # seconds of sound in one stream
    watchers: int = 32  # streams of events at once
    watchers_of_one: int = 4  # of one caller
    stations: int = 32  # that are followed
    trials: int = 2  # streams that are tried at once


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a service is set up."""

    catalog: Path
    keys: Path  # file of API keys
    host: str = "127.0.0.1"
    port: int = 8000
    names: tuple[str, ...] = ()  # host names that requests may come by, besides the address
    anyone: str | None = None  # scope of callers without a key; '' for none; None decides by who can reach it
    read_only: bool = False
    behind_proxy: bool = False  # believe a proxy on this machine who its clients are
    certificate: tuple[Path, Path] | None = None  # PEM files of the certificate and its key
    workers: int | None = None  # processes that answer questions; None for the cores
    private_streams: bool = False  # stations may be at this machine and in its networks
    keep_clips: Path | None = None  # folder of clips of plays
    most_clips: int = 1_000
    limits: Limits = field(default_factory=Limits)

    @property
    def is_private(self) -> bool:
        """Whether this machine alone can reach it."""
        return self.host == "localhost" or is_loopback(self.host)

    @property
    def scope_of_anyone(self) -> str:
        """What callers without a key may do: all where nobody else can call, else nothing."""
        if self.anyone is not None:
            return self.anyone
        return MANAGE if self.is_private and not self.names and not self.behind_proxy else ""

    @property
    def address(self) -> str:
        """The address to open in a browser of this machine."""
        return self._address("localhost" if self.host in ANY_ADDRESS else self.host)

    @property
    def address_elsewhere(self) -> str:
        """The address to open on another machine, by this one's name; '' where there is one address alone."""
        return self._address(socket.gethostname()) if self.host in ANY_ADDRESS else ""

    def _address(self, host: str) -> str:
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/"


def is_loopback(host: str) -> bool:
    """Return whether a host is an address of this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
