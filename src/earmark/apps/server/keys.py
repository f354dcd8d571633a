"""API keys: a file of names, scopes and digests, which only the service's user may read; the keys are shown once."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
import time
from pathlib import Path

import msgspec

from earmark.apps.server.secret import write_secret
from earmark.apps.server.settings import SCOPES
from earmark.atomic import written_beside
from earmark.errors import OptionError
from earmark.schema import prepared
from earmark.text import printable

PREFIX = "earmark_"  # by which a scanner of secrets knows a key
KEY_BYTES = 24  # bytes of chance in a key: nobody guesses 192 bits
MOST_KEY_CHARACTERS = 200  # longer ones are not looked at
MOST_FILE_BYTES = 1 << 20
FRESH_SECONDS = 1.0  # seconds for which a file that was read is not looked at again


class Key(msgspec.Struct, frozen=True):
    """A key as it is kept."""

    name: str
    scopes: tuple[str, ...]
    digest: str  # SHA-256 of the key; a fast hash is enough for what has 192 bits of chance
    created: int  # seconds since 1970

    def allows(self, scope: str) -> bool:
        """Return whether its holder may do that; whoever manages may also ask."""
        return scope in self.scopes or "manage" in self.scopes


def default_path() -> Path:
    """Return where keys are kept unless another file is named."""
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")  # noqa: PTH111, PTH118
    return Path(config) / "earmark" / "keys.json"


class Keys:
    """The keys in a file; a change by another process counts within a second."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._looked, self._keys = -FRESH_SECONDS, tuple[Key, ...]()

    def all(self) -> tuple[Key, ...]:
        """Return the keys; raises OptionError for a file that is none of keys, or that others may read."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked >= FRESH_SECONDS:
                self._keys, self._looked = self._read(), now
            return self._keys

    def find(self, key: str) -> Key | None:
        """Return the key that somebody shows, or None; how long it takes says nothing of how near it came."""
        if len(key) > MOST_KEY_CHARACTERS:
            return None
        shown, found = digest_of(key), None
        for one in self.all():
            if hmac.compare_digest(one.digest.encode(), shown.encode()):
                found = one
        return found

    def add(self, name: str, scopes: tuple[str, ...]) -> str:
        """Make a key, keep its digest, and return it; raises OptionError for a name that is taken."""
        unknown = set(scopes) - set(SCOPES)
        if unknown or not scopes:
            raise OptionError(f"scopes {', '.join(sorted(unknown)) or 'of none'}; give {' or '.join(SCOPES)}")
        if not name or name != printable(name):
            raise OptionError(f"{name!r} cannot be a key's name; give characters that can be printed")
        known = self._read()
        if any(one.name == name for one in known):
            raise OptionError(f"there is a key {name!r}; choose another name, or remove that one first")
        key = PREFIX + secrets.token_urlsafe(KEY_BYTES)
        self._write((*known, Key(name, scopes, digest_of(key), int(time.time()))))
        return key

    def remove(self, name: str) -> None:
        """Forget a key; raises OptionError when there is none of that name."""
        known = self._read()
        if all(one.name != name for one in known):
            raise OptionError(f"there is no key {name!r}; `earmark serve keys` lists those there are")
        self._write(tuple(one for one in known if one.name != name))

    def _read(self) -> tuple[Key, ...]:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._seen = None
            return ()
        seen = (status.st_ino, status.st_size, status.st_mtime_ns)
        if seen == self._seen:
            return self._keys
        if status.st_mode & 0o077:
            raise OptionError(f"{self.path} can be read by others; run chmod 600 on it")
        try:
            if status.st_size > MOST_FILE_BYTES:
                raise ValueError(f"{status.st_size} bytes")
            keys = msgspec.json.decode(self.path.read_bytes(), type=prepared(tuple[Key, ...]))
        except (msgspec.MsgspecError, ValueError) as error:
            raise OptionError(f"{self.path} is no file of keys ({error}); remove it and make new ones") from error
        self._seen, self._keys = seen, keys
        return keys

    def _write(self, keys: tuple[Key, ...]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with written_beside(self.path) as part:
            write_secret(part, msgspec.json.format(msgspec.json.encode(keys)) + b"\n")
        self._looked = -FRESH_SECONDS


def digest_of(key: str) -> str:
    """Return the digest that is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()
