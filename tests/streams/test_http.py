"""Requests that fail say what happened in words, without a number of the system's."""

from __future__ import annotations

import socket

import pytest

from earmark.errors import MediaError
from earmark.streams.addresses import AddressRule
from earmark.streams.http import request


def test_a_station_that_is_not_there_refuses_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(MediaError) as caught:
        request(f"http://127.0.0.1:{port}/live", AddressRule(allows_private=True))
    assert caught.value.detail == f"http://127.0.0.1:{port}/live: Connection refused"
