"""Put queries to a catalog through its public API and keep the replies, one JSON line each, in a folder of the run."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import earmark
from earmark.arguments import made_folder
from earmark.evaluation.queries import Query
from earmark.evaluation.replies import read_replies
from earmark.evaluation.truth import Given
from earmark.types import Align

ANSWERS = "answers.jsonl"
LIMIT = 5  # candidates that are kept, as many as a catalog gives by default


@dataclass(frozen=True, slots=True)
class Reply:
    """What a catalog said of one query."""

    id: str
    candidates: tuple[Given, ...]  # best first, accepted or not
    threshold: float  # confidence from which the first counts as an answer
    reason: str
    elapsed: float  # seconds

    @property
    def first(self) -> Given | None:
        """The surest candidate."""
        return self.candidates[0] if self.candidates else None

    @property
    def accepted(self) -> bool:
        """Whether the catalog would have answered."""
        return bool(self.candidates) and self.candidates[0].confidence >= self.threshold


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a run is."""

    done: int
    total: int
    seconds_left: float  # an estimate, from the queries of this run


def run_folder(out: Path, name: str, parameters: Mapping[str, Any]) -> Path:
    """Return the folder of a run: the same for the same parameters, another for others. It holds them as JSON."""
    folder = made_folder(named(out, name, parameters))
    (folder / "parameters.json").write_text(json.dumps(parameters, sort_keys=True, indent=1) + "\n")
    return folder


def named(out: Path, name: str, parameters: Mapping[str, Any]) -> Path:
    """Return a path of that name with a digest of the parameters, as JSON has them."""
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
    return out / f"{name}-{digest[:10]}"


def stamps(paths: Iterable[Path]) -> str:
    """Return a digest of files' names and sizes: other music is another run."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
    return digest.hexdigest()


def answer(
    catalog: earmark.Catalog,
    queries: Sequence[Query],
    folder: Path,
    *,
    maker: Callable[[Query], Any],
    align: Align = "",
    workers: int | None = None,
    progress: Callable[[Stage], object] | None = None,
) -> list[Reply]:
    """Return a reply for each query, in order; those that `folder` holds from an earlier run are not asked again.

    `align` chooses the fine search, as `identify` does.
    """
    known = read(folder / ANSWERS)
    left = [query for query in queries if query.id not in known]
    if left:
        threshold = catalog.identify(maker(left[0])).threshold
        sources = (maker(query) for query in left)
        replies = catalog.identify_many(sources, workers=workers, threshold=0, limit=LIMIT, align=align)
        with (folder / ANSWERS).open("a") as handle:
            for reply in _kept(left, replies, threshold, handle, progress):
                known[reply.id] = reply
    return [known[query.id] for query in queries]


def read(path: Path) -> dict[str, Reply]:
    """Return the replies of an earlier run by query."""
    return {reply.id: reply for reply in read_replies(path, _parsed)}


def _kept(
    queries: Sequence[Query],
    replies: Iterator[earmark.Answer],
    threshold: float,
    handle: TextIO,
    progress: Callable[[Stage], object] | None,
) -> Iterator[Reply]:
    began = time.monotonic()
    for number, (query, said) in enumerate(zip(queries, replies, strict=True), start=1):
        candidates = tuple(Given(match.track.id, match.reference_at(0.0), match.confidence) for match in said.matches)
        line = json.dumps(_record(Reply(query.id, candidates, threshold, said.reason, said.elapsed)))
        handle.write(line + "\n")
        handle.flush()
        if progress is not None:
            rate = (time.monotonic() - began) / number
            progress(Stage(number, len(queries), rate * (len(queries) - number)))
        yield _parsed(line)  # as an interrupted run would have it


def _record(reply: Reply) -> dict[str, Any]:
    candidates = [[one.track, round(one.start, 5), one.confidence] for one in reply.candidates]
    return {
        "id": reply.id,
        "candidates": candidates,
        "threshold": reply.threshold,
        "reason": reply.reason,
        "elapsed": round(reply.elapsed, 5),
    }


def _parsed(line: str) -> Reply:
    record = json.loads(line)
    candidates = tuple(Given(*candidate) for candidate in record["candidates"])
    return Reply(record["id"], candidates, record["threshold"], record["reason"], record["elapsed"])
