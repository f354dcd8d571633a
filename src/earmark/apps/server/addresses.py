"""What the service has at which address: for requests that ask for something else, or with unknown parameters."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from fastapi import Request
from starlette.requests import HTTPConnection

from earmark.apps.server.problems import Problem
from earmark.text import printable

MOST_SHOWN = 100  # characters of a path or parameter that an answer repeats
LIKE_ENOUGH = 0.6  # least likeness, as difflib counts it, of what may have been meant
WEB_SOCKETS = ("/v1/listen",)  # which the description of an HTTP service cannot tell of


def no_such_path(request: Request) -> Problem:
    """Return what to answer where there is nothing at a path."""
    path, known = request.url.path, [*_paths(request), *WEB_SOCKETS]
    near = get_close_matches(path, known, n=1, cutoff=LIKE_ENOUGH)
    meant = f"did you mean {near[0]}?" if near else "/openapi.json says what there is"
    return Problem(404, "no_such_path", f"there is nothing at {_shown(path)}; {meant}")


def no_such_method(request: Request, allowed: str) -> Problem:
    """Return what to answer where a path does not take a method; `allowed`: what it takes if it is not described."""
    path = request.url.path
    matching = (operations for template, operations in _paths(request).items() if _matches(template, path))
    methods = {method.upper() for operations in matching for method in operations} or set(allowed.split(", "))
    methods |= {"HEAD"} if "GET" in methods else set()
    takes = ", ".join(sorted(methods))
    detail = f"{_shown(path)} does not take {_shown(request.method)}; it takes {takes}"
    return Problem(405, "method", detail, headers={"Allow": takes})


async def known_parameters(request: Request) -> None:
    """Raise Problem for a parameter of the query that the address does not have: a slip must not go unnoticed."""
    template = getattr(request.scope["route"], "path_format", "")
    operation = _paths(request).get(template, {}).get(request.method.lower(), {})
    known = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    check_parameters(request, known)


def check_parameters(connection: HTTPConnection, known: Collection[str]) -> None:
    """Raise Problem for the first parameter of the query that is not among the known ones, or comes twice."""
    given = [name for name, _ in connection.query_params.multi_items()]
    for name in given:
        if name not in known:
            near = get_close_matches(name.lower(), known, n=1, cutoff=LIKE_ENOUGH)
            there_are = f"there are {', '.join(sorted(known))}" if known else "there are none here"
            meant = f"did you mean {near[0]!r}?" if near else there_are
            raise Problem(422, "invalid", f"there is no parameter {_shown(name)!r}; {meant}")
        if given.count(name) > 1:
            raise Problem(422, "invalid", f"the parameter {name!r} is given {given.count(name)} times; give it once")


def _paths(connection: HTTPConnection) -> Mapping[str, Mapping[str, Any]]:
    """Return the operations of each path as the service describes them."""
    paths: Mapping[str, Mapping[str, Any]] = connection.app.openapi()["paths"]
    return paths


def _matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", ".+", re.escape(template)), path) is not None


def _shown(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}…"
