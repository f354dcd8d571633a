"""Who calls: by key or by address, what they may do, and how often."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from earmark.apps.server.keys import Keys
from earmark.apps.server.problems import Problem
from earmark.apps.server.settings import MANAGE, ServerSettings

BEARER = "bearer "
NO_BEARER = "a key comes as Authorization: Bearer <key>, and as nothing else"
PROTOCOL = "earmark"  # of WebSockets; browsers send no other header of their own with them, so the key is one too
KEY_PROTOCOL = "key."
NETWORK_BITS = 64  # of an IPv6 address: one household or machine has all the rest


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str  # of the key, or the address
    scopes: tuple[str, ...]
    has_key: bool = True

    def check(self, scope: str) -> None:
        """Raise Problem unless it may do that."""
        if scope in self.scopes or MANAGE in self.scopes:
            return
        if not self.has_key:
            made = f"`earmark serve keys --add NAME --scope {scope}` makes one"
            detail = f"show a key with the scope {scope!r}: Authorization: Bearer <key>; {made}"
            raise Problem(401, "no_key", detail, headers={"WWW-Authenticate": 'Bearer realm="earmark"'})
        raise Problem(403, "scope", f"your key has the scope {', '.join(self.scopes)}, and this needs {scope!r}")


class Callers:
    """Tells callers apart."""

    def __init__(self, settings: ServerSettings, keys: Keys) -> None:
        anyone = settings.scope_of_anyone
        self._keys, self._anyone = keys, (anyone,) if anyone else ()
        self._rate = RateLimitItemPerMinute(settings.limits.requests_a_minute)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def caller(self, headers: Mapping[str, str], address: str) -> Caller:
        """Return who calls; raises Problem for a key that is none, or when they call too often."""
        shown = _shown_key(headers)
        if shown is None:
            caller = Caller(f"address {_network(address)}", self._anyone, has_key=False)
        else:
            self._count(f"wrong keys of {_network(address)}", add=False)
            key = self._keys.find(shown)
            if key is None:
                self._count(f"wrong keys of {_network(address)}")
                detail = "no key that is known here; `earmark serve keys` lists them" if shown else NO_BEARER
                raise Problem(401, "wrong_key", detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
            caller = Caller(f"key {key.name}", key.scopes)
        self._count(caller.name)
        return caller

    def _count(self, name: str, *, add: bool = True) -> None:
        allowed = self._limiter.hit(self._rate, name) if add else self._limiter.test(self._rate, name)
        if not allowed:
            detail = f"more than {self._rate.amount} requests a minute; ask more slowly"
            wait = self._limiter.get_window_stats(self._rate, name).reset_time
            raise Problem(429, "too_often", detail, retry_after=max(wait - time.time(), 1.0))


def _shown_key(headers: Mapping[str, str]) -> str | None:
    authorization = headers.get("authorization", "")
    if authorization:
        return authorization[len(BEARER) :].strip() if authorization.lower().startswith(BEARER) else ""
    for protocol in headers.get("sec-websocket-protocol", "").split(","):
        if protocol.strip().startswith(KEY_PROTOCOL):
            return protocol.strip()[len(KEY_PROTOCOL) :]
    return None


def _network(address: str) -> str:
    """Return an address, of IPv6 the part that one household shares."""
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(IPv6Address(int(found) >> NETWORK_BITS << NETWORK_BITS)) + f"/{NETWORK_BITS}"
    return str(found)
