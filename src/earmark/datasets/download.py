"""Large files over HTTP: resumed after an interruption, and checked against their checksum."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from earmark.datasets.manifest import digest_of
from earmark.errors import EarmarkError

BLOCK_BYTES = 1 << 20  # bytes between two calls of `progress`
TIMEOUT_SECONDS = 60.0  # seconds without a byte
ATTEMPTS_WITHOUT_A_BYTE = 5  # attempts in a row, after which the download fails
_BROKEN = (OSError, http.client.HTTPException)  # URLError and timeouts are OSErrors


def download(
    url: str,
    target: Path,
    *,
    sha1: str,
    progress: Callable[[int, int | None], object] | None = None,
    pause_seconds: float = 5.0,
) -> Path:
    """Download `url` to `target`, unless it is there, and return its path.

    Bytes go to `target`.part, from which the next attempt, or the next run, continues. `progress(bytes so far, bytes
    in all or None)` is called after each block. Raises EarmarkError when the server does not give the file, or its
    checksum is not `sha1`.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    in_vain = 0
    while True:
        before = _size(part)
        try:
            _fetch_rest(url, part, progress)
            break
        except urllib.error.HTTPError as error:
            raise EarmarkError(f"{url}: {error.code} {error.reason}; see whether the archive has moved") from error
        except _BROKEN as error:
            in_vain = 0 if _size(part) > before else in_vain + 1
            if in_vain == ATTEMPTS_WITHOUT_A_BYTE:
                raise EarmarkError(f"{url}: {error}; run again to go on at byte {_size(part):,}") from error
            time.sleep(pause_seconds * in_vain)
    found = digest_of(part, "sha1")
    if found != sha1:
        part.unlink()
        raise EarmarkError(f"{url} has the SHA-1 {found} in place of {sha1}; it was deleted: run again")
    return part.rename(target)


def _fetch_rest(url: str, part: Path, progress: Callable[[int, int | None], object] | None) -> None:
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing is left: the file is complete
            return
        raise
    with response, part.open("ab" if response.status == 206 else "wb") as file:
        have = have if response.status == 206 else 0  # a server without ranges sends the whole file
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        while block := response.read(BLOCK_BYTES):
            file.write(block)
            have += len(block)
            if progress is not None:
                progress(have, total)
    if total is not None and have < total:
        raise ConnectionError(f"the connection broke off at byte {have:,} of {total:,}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
