"""Which addresses a stranger's URL may name, and that the one that was checked is the one that is connected to."""

from __future__ import annotations

import socket

import pytest

from earmark.errors import MediaError
from earmark.streams.addresses import AddressRule, is_public
from earmark.streams.http import request
from tests.streams.servers import Server, body, redirect

PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fd00::1", "fe80::1",
    "fe80::1%eth0", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::",
    "2001::1", "64:ff9b:1::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_of_the_public_internet_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111"])
def test_public_addresses_are_not(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0"],
)
def test_no_way_of_writing_this_machine_reaches_it(server: Server, host: str) -> None:
    server.answers["/"] = body(b"secret")
    with pytest.raises(MediaError):
        request(f"http://{host}:{server.server_address[1]}/", AddressRule())
    assert server.requested == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/a", "gopher://host/", "http://", "/etc/passwd", "concat:a"]
)
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(MediaError, match="only http"):
        request(url, AddressRule(allows_private=True))


def test_a_name_is_looked_up_once_and_that_address_is_connected_to(server: Server) -> None:
    """A name that changes its address between the check and the connection (DNS rebinding) gains nothing."""
    asked = list[str]()

    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "203.0.113.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    server.answers["/"] = body(b"here")
    url = f"http://radio.example:{server.server_address[1]}/"
    with request(url, AddressRule(allows_private=True, resolve=resolve)) as response:
        assert response.read_all(most_bytes=100) == b"here"
    assert asked == ["radio.example"]
    assert server.headers_seen[0]["Host"].startswith("radio.example")


def test_a_name_of_which_any_address_is_private_is_refused() -> None:
    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("93.184.216.34", "10.0.0.1")
        ]

    with pytest.raises(MediaError, match=r"10\.0\.0\.1, which is no public address"):
        request("http://radio.example/", AddressRule(resolve=resolve))


def test_each_redirect_is_checked(server: Server) -> None:
    """The first host is allowed, as a public one would be; what it leads to is not."""
    server.answers["/"] = redirect("http://internal.example/secret")

    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        if host == "internal.example":
            raise OSError("not to be looked up")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    with pytest.raises(MediaError, match=r"internal\.example"):
        request(f"http://radio.example:{server.server_address[1]}/", AddressRule(allows_private=True, resolve=resolve))


def test_an_answer_that_is_too_large_is_left(server: Server) -> None:
    server.answers["/"] = body(bytes(200_000))
    with (
        request(f"{server.url}/", AddressRule(allows_private=True)) as response,
        pytest.raises(MediaError, match="more than 100,000 bytes"),
    ):
        response.read_all(most_bytes=100_000)
