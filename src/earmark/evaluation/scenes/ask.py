"""Put scenes to a catalog through its public API, and keep what it answers, one JSON line a scene."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import earmark
from earmark.evaluation.costs import Processor
from earmark.evaluation.replies import read_replies
from earmark.evaluation.scenes.material import Material
from earmark.evaluation.scenes.render import render
from earmark.evaluation.scenes.scene import Scene
from earmark.evaluation.scenes.scores import Detection
from earmark.types import Align

ANSWERS = "scenes.jsonl"
LIMIT = 10_000  # passages of a scene, more than there are


@dataclass(frozen=True, slots=True)
class SceneReply:
    """The passages that a catalog found in one scene."""

    id: str
    detections: tuple[Detection, ...]
    processor_seconds: float


def answer(
    catalog: earmark.Catalog,
    scenes: Iterable[Scene],
    material: Material,
    *,
    align: Align = "",
    folder: Path | None = None,
    progress: Callable[[Scene], object] | None = None,
) -> Iterator[tuple[Scene, SceneReply]]:
    """Yield scenes with their replies; those whose replies `folder` has are not asked again.

    `align` chooses the fine search, as `identify` does. `progress` is called before each scene.
    """
    known = read(folder / ANSWERS) if folder else {}
    for scene in scenes:
        if progress is not None:
            progress(scene)
        if scene.id not in known:
            reply = _asked(catalog, scene, material, align)
            if folder:
                with (folder / ANSWERS).open("a") as handle:
                    handle.write(json.dumps(astuple(reply)) + "\n")
            yield scene, reply
        else:
            yield scene, known[scene.id]


def read(path: Path) -> dict[str, SceneReply]:
    """Return the replies of an earlier run by scene."""
    return {reply.id: reply for reply in read_replies(path, _parsed)}


def _asked(catalog: earmark.Catalog, scene: Scene, material: Material, align: Align) -> SceneReply:
    samples = render(scene, material)
    spent = Processor()
    said = catalog.identify((samples, material.sounds.rate), several=True, limit=LIMIT, align=align)
    seconds = spent.seconds
    detections = [
        Detection(one.track.id, one.query_start, one.query_end, one.reference_start, one.rate, one.confidence)
        for one in said.matches
    ]
    return SceneReply(scene.id, tuple(sorted(detections, key=lambda one: one.span)), seconds)


def _parsed(line: str) -> SceneReply:
    id, detections, processor_seconds = json.loads(line)
    return SceneReply(id, tuple(Detection(*one) for one in detections), processor_seconds)
