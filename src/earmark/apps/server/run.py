"""Serving: uvicorn on a socket of ours, until a signal ends it."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable

import uvicorn

from earmark.apps.server.app import make_app
from earmark.apps.server.protocol import IDLE_SECONDS, protocol_with
from earmark.apps.server.service import Service
from earmark.apps.server.settings import ServerSettings
from earmark.errors import OptionError

ENDING_SECONDS = 10  # seconds in which questions are answered still, after a signal
LARGEST_FRAME_BYTES = 1 << 16  # of a WebSocket
WAITING_CONNECTIONS = 128
NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL)  # the last three of names
FIRST_PORT_OF_ALL = 1024  # ports before it are root's


class Server(uvicorn.Server):
    """A server that says when it can be reached, and not any more."""

    def __init__(self, config: uvicorn.Config, service: Service, started: Callable[[int], object]) -> None:
        super().__init__(config)
        self._service, self._started_at = service, started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer."""
        await super().startup(sockets)
        if sockets and not self.should_exit:
            self._started_at(sockets[0].getsockname()[1])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what was asked, and nothing more."""
        self._service.is_ready = False
        self._service.is_ending.set()
        await super().shutdown(sockets)


def serve(settings: ServerSettings, *, started: Callable[[int], object] = lambda port: None) -> None:
    """Serve until SIGINT or SIGTERM; `started` is called with the port. Raises CatalogError, OptionError."""
    with contextlib.closing(bound_socket(settings)) as bound, contextlib.suppress(KeyboardInterrupt):
        make_server(settings, started).run([bound])


def make_server(settings: ServerSettings, started: Callable[[int], object]) -> Server:
    """Return a server that is ready to run on a socket."""
    service = Service(settings)
    certificate, key = settings.certificate or (None, None)
    config = uvicorn.Config(
        make_app(service),
        http=protocol_with(settings.limits),
        ws="websockets-sansio",
        ws_max_size=LARGEST_FRAME_BYTES,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips="127.0.0.1,::1",
        timeout_keep_alive=int(IDLE_SECONDS),
        timeout_graceful_shutdown=ENDING_SECONDS,
        backlog=WAITING_CONNECTIONS,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    return Server(config, service, started)


def bound_socket(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens at the address; raises OptionError when it cannot."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        bound = socket.create_server((settings.host, settings.port), family=family, backlog=WAITING_CONNECTIONS)
    except OSError as error:
        raise OptionError(_unbound(settings, error)) from error
    # asyncio does so for sockets that it made; without it each answer waits 40 ms for the client's acknowledgement.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def _unbound(settings: ServerSettings, error: OSError) -> str:
    """Return why the service cannot listen, and what to do."""
    place = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return f"another program listens at {place} already; end it, or give another --port"
    if error.errno == errno.EACCES and settings.port < FIRST_PORT_OF_ALL:
        return f"only root may listen at port {settings.port}; give a --port from {FIRST_PORT_OF_ALL} on"
    if error.errno in NO_SUCH_ADDRESS:
        return f"this machine has no address {settings.host}; give --host one that it has, such as 127.0.0.1 or 0.0.0.0"
    return f"the service cannot listen at {place}: {error.strerror}; give another --port or --host"
