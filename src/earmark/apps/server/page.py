"""The page at `/`: files that lie in `page/`, read once and kept, each with its digest as a tag."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from earmark.apps.server.problems import Problem

FOLDER = Path(__file__).parent / "page"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the page as it is sent."""

    kind: str
    tag: str
    plain: bytes
    zipped: bytes


def page_files(folder: Path = FOLDER) -> dict[str, PageFile]:
    """Return the files by their paths below the folder; nothing else can be asked for."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in KINDS:
            content = path.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            found[path.relative_to(folder).as_posix()] = PageFile(
                KINDS[path.suffix], tag, content, gzip.compress(content, mtime=0)
            )
    return found


def page_router() -> APIRouter:
    """Return the routes of the page, which the description of the service leaves out."""
    router, files = APIRouter(include_in_schema=False), page_files()

    @router.get("/")
    async def index(request: Request) -> Response:
        return _answer(request, files[INDEX])

    @router.get("/page/{name:path}")
    async def file(request: Request, name: str) -> Response:
        if name not in files:
            raise Problem(404, "no_file", "the page has no such file")
        return _answer(request, files[name])

    return router


def _answer(request: Request, file: PageFile) -> Response:
    headers = {"ETag": file.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if file.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.zipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=file.kind)
    return Response(file.plain, headers=headers, media_type=file.kind)
