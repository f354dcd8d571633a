"""Which addresses may be connected to: a URL of a stranger must not reach into the network that earmark stands in."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from earmark.errors import MediaError

# Networks of IPv6 that hold IPv4 addresses: mapped (RFC 4291), NAT64 (6052), 6to4 (3056), Teredo (4380).
EMBEDDING = tuple(
    map(ipaddress.IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
)

Resolve = Callable[..., Sequence[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class AddressRule:
    """What URLs may name."""

    allows_private: bool = False  # this machine and its networks, where the URL is the user's own
    resolve: Resolve = socket.getaddrinfo

    def addresses(self, host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
        """Return (family, address) of a host, to which one connects without asking again; raises MediaError."""
        try:
            found = self.resolve(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise MediaError("unreadable", f"{host!r} cannot be found ({error}); check the URL") from error
        addresses = [(family, address) for family, _, _, _, address in found]
        refused = [str(address[0]) for _, address in addresses if not self._is_allowed(str(address[0]))]
        if refused or not addresses:
            shown = refused[0] if refused else "nothing"
            raise MediaError("unreadable", f"{host!r} is at {shown}, which is no public address; give a public one")
        return addresses

    def _is_allowed(self, text: str) -> bool:
        return self.allows_private or is_public(text)


def is_public(text: str) -> bool:
    """Return whether an address is one of the public internet, and holds no other one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and any(address in network for network in EMBEDDING):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
