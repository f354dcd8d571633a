"""The log: one JSON object a line on standard error, in ASCII, so that nothing in it can pretend to be another line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

REFUSED = "ASGI callable returned without completing handshake."  # uvicorn, of a WebSocket that a document refused


class JsonLines(logging.Formatter):
    """Makes a line of a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line: time, level, what happened, and the fields that came with it."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


def is_news(record: logging.LogRecord) -> bool:
    """Return whether a record says what its request's own line does not."""
    return record.msg != REFUSED


def set_up_logs(*, quiet: bool) -> None:
    """Write what earmark's service and uvicorn log to standard error; when `quiet`, problems only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(is_news)
    for name, level in (("earmark.server", logging.INFO), ("uvicorn.error", logging.WARNING)):
        log = logging.getLogger(name)
        log.handlers, log.propagate = [handler], False
        log.setLevel(logging.ERROR if quiet else level)
