"""Train the models of docs/models.md one after another, and measure each: the same data, pairs and clips for all.

    python benchmarks/models.py OUT --data TRAIN [--corpus DEV --clips CLIPS] [ROW ...]
    python benchmarks/models.py OUT --table

TRAIN is a folder to learn from (`earmark train --data`), DEV one with music.csv, CLIPS clips of it with queries.csv
(path, condition, seconds, track_id). ROWs are those of models.toml (default: all, in its order). OUT gets a folder for
each row with its run, models and row.json. A run that was killed at any moment goes on with the same command.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import msgspec
import numpy as np

import earmark
from earmark.atomic import written_beside
from earmark.datasets.rooms import save_rooms, synthesise_rooms
from earmark.evaluation.metrics import wilson_interval
from earmark.learn import prepare
from earmark.learn.recipe import FingerprintRecipe, read_fingerprint_recipe

if TYPE_CHECKING:
    from earmark.learn.trainer import Progress

ROWS = Path(__file__).with_suffix(".toml")
BASE = "small"  # recipe that every row changes
REPLACED = ("encoder_options", "objective_options")  # tables that belong to what they are options of
CONDITIONS = ("clean@1", "noise5@1", "noise0@1", "nrev5@1", "nrev0@1", "nrev0@2", "nrev0@5")
LANDMARKS = "shazam"  # fingerprinter that every model has to beat
BAR = "noise5@1"  # condition in which it has to
AT_ONCE = 16  # segments in a batch, as in `earmark index`
REPEATS = 30  # batches that are timed; the least counts, because others use the machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches")
    parser.add_argument("--table", action="store_true", help="print the rows that are measured")
    options = parser.parse_args()
    recipes = read_rows()
    unknown = set(options.rows) - set(recipes)
    if unknown:
        sys.exit(f"no row {', '.join(sorted(unknown))}: choose some of {', '.join(recipes)}")
    if options.table:
        print(table(options.out, recipes))
        return
    if options.data is None or (options.corpus is None) != (options.clips is None):
        sys.exit("give --data, and --corpus and --clips together")
    options.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.corpus, options.clips) if options.clips else None
    for name in options.rows or recipes:
        train(name, recipes[name], options)
        if bench is not None:
            measure(name, recipes[name], options.out / name, bench)
    landmarks = options.out / f"{LANDMARKS}.json"
    if bench is not None and not landmarks.exists():
        write_json(landmarks, bench.rank_1(options.out / "catalog", fingerprinter=LANDMARKS))


def read_rows() -> dict[str, FingerprintRecipe]:
    """Return the recipe of each row."""
    base = msgspec.to_builtins(read_fingerprint_recipe(BASE))
    rows = tomllib.loads(ROWS.read_text())
    recipes = {
        name: msgspec.convert(changed(base, changes) | {"name": name}, FingerprintRecipe)
        for name, changes in rows.items()
    }
    for recipe in recipes.values():
        recipe.check_tables()
    return recipes


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's numbers with some replaced, table by table."""
    for kind in ("encoder", "objective"):
        if kind in changes:
            base = {**base, f"{kind}_options": {}}
    merged = {
        name: {**base[name], **value} if isinstance(value, dict) and name not in REPLACED else value
        for name, value in changes.items()
    }
    return {**base, **merged}


def train(name: str, recipe: FingerprintRecipe, options: argparse.Namespace) -> None:
    """Train a row to its end and export it, unless that is done; decoded sounds and rooms are shared by all."""
    folder = options.out / name
    if (folder / "model-int8.onnx").exists():
        return
    folder.mkdir(exist_ok=True)
    shared = options.out / "sounds"
    shared.mkdir(exist_ok=True)
    if not (folder / "sounds").exists():
        (folder / "sounds").symlink_to(os.path.relpath(shared, folder))
    rooms = options.out / f"rooms-{recipe.rate}.npz"
    if not rooms.exists():
        made = synthesise_rooms(
            recipe.rooms.count, rate=recipe.rate, seed=recipe.seed, t60_seconds=recipe.rooms.t60_seconds
        )
        with written_beside(rooms) as part:
            save_rooms(part, list(made))
    training = prepare(options.data, folder, recipe, rooms=rooms, resume=True, device="cpu", workers=options.workers)
    say(f"{name}: step {training.run.step:,} of {recipe.steps:,}")
    with (folder / "progress.jsonl").open("a", buffering=1) as log:

        def note(progress: Progress) -> None:
            said = {key: getattr(progress, key) for key in ("step", "loss", "hit_rate", "pairs_a_second")}
            log.write(json.dumps({**said, "cpu_seconds": processor_seconds()}) + "\n")

        training.run.train(progress=note, validate_steps=200)
    training.export(licence="CC-BY-SA-4.0")


def measure(name: str, recipe: FingerprintRecipe, folder: Path, bench: Bench) -> None:
    """Write what a row is and reaches to row.json, unless it is there."""
    from earmark.learn.network import make_network  # with torch, which the processes that make batches need not load

    if (folder / "row.json").exists():
        return
    say(f"{name}: measuring")
    network, _ = make_network(recipe)
    models = {}
    for precision, file in (("float32", "model.onnx"), ("int8", "model-int8.onnx")):
        path = (folder / file).resolve()
        asked = bench.rank_1(folder / "catalog", fingerprinter="neural", model=str(path), peaks=False)
        models[precision] = {
            "bytes": path.stat().st_size,
            "milliseconds_a_segment": segment_time(path, recipe),
            **asked,
        }
    progress = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    row = {
        "row": name,
        "recipe": msgspec.to_builtins(recipe),
        "digest": recipe.digest,
        "pairs": recipe.batch * recipe.steps,
        "parameters": sum(one.numel() for one in network.parameters()),
        "multiply_adds": multiply_adds(network, recipe),
        "hit_rate": progress[-1]["hit_rate"],
        "models": models,
    }
    write_json(folder / "row.json", row)


def multiply_adds(network: Any, recipe: FingerprintRecipe) -> int:
    """Return the multiplications with additions of one segment's vector."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    shape = recipe.log_mel
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval().vectors(torch.zeros(1, 1, shape.bands, shape.segment_frames))
    return int(counter.get_total_flops() // 2)


def segment_time(path: Path, recipe: FingerprintRecipe) -> float:
    """Return the processor milliseconds of one segment's vector, one thread, the least of some batches."""
    import onnxruntime

    threads = onnxruntime.SessionOptions()
    threads.intra_op_num_threads = threads.inter_op_num_threads = 1
    session: Any = onnxruntime.InferenceSession(str(path), threads)
    shape = recipe.log_mel
    segments = np.random.default_rng(0).standard_normal((AT_ONCE, 1, shape.bands, shape.segment_frames), np.float32)
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        session.run(["vectors"], {"segments": segments})
        times.append(time.process_time() - began)
    return 1e3 * min(times) / AT_ONCE


class Bench:
    """A corpus, and the clips of it that are asked for."""

    def __init__(self, corpus: Path, clips: Path) -> None:
        self._music = {str((corpus / one["path"]).resolve()): one for one in rows(corpus / "music.csv")}
        self._clips = [
            (f"{one['condition']}@{one['seconds']}", str(clips / one["path"]), one["track_id"])
            for one in rows(clips / "queries.csv")
        ]
        self._clips = [clip for clip in self._clips if clip[0] in CONDITIONS]

    def rank_1(self, folder: Path, **options: Any) -> dict[str, Any]:
        """Return the size of a catalog in bytes an hour, and of each condition (clips found first, clips)."""
        shutil.rmtree(folder, ignore_errors=True)
        hours = sum(float(one["seconds"]) for one in self._music.values()) / 3600
        with earmark.open(folder, **options) as catalog:
            catalog.add(list(self._music), workers=1)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        found: dict[str, list[bool]] = defaultdict(list)
        with earmark.open(folder, create=False, read_only=True) as catalog:
            answers = catalog.identify_many([path for _, path, _ in self._clips], threshold=0, workers=1)
            for (condition, _, track), answer in zip(self._clips, answers, strict=True):
                best = answer.best
                named = "" if best is None else self._music[str(Path(best.track.path).resolve())]["track_id"]
                found[condition].append(named == track)
        shutil.rmtree(folder)
        return {
            "bytes_an_hour": size / hours,
            "rank_1": {condition: (sum(hits), len(hits)) for condition, hits in found.items()},
        }


def table(out: Path, names: Iterable[str]) -> str:
    """Return the rows that are measured, as Markdown: rank-1 in per cent with half of its 95 % interval."""
    head = (
        "row",
        "parameters",
        "multiply-adds",
        "ms a segment, int8 (float32)",
        "MB an hour",
        *CONDITIONS,
        "8 bits",
    )
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    landmarks = read_json(out / f"{LANDMARKS}.json")
    if landmarks:
        cells = (LANDMARKS, "", "", "", f"{landmarks['bytes_an_hour'] / 1e6:.2f}", *shares(landmarks["rank_1"]), "")
        lines.append("| " + " | ".join(cells) + " |")
    for row in filter(None, (read_json(out / name / "row.json") for name in names)):
        whole, small = row["models"]["float32"], row["models"]["int8"]
        lost = 100 * (mean(small["rank_1"]) - mean(whole["rank_1"]))
        cells = (
            row["row"],
            f"{row['parameters']:,}",
            f"{row['multiply_adds'] / 1e6:.1f} M",
            f"{small['milliseconds_a_segment']:.2f} ({whole['milliseconds_a_segment']:.2f})",
            f"{small['bytes_an_hour'] / 1e6:.2f}",
            *shares(small["rank_1"]),
            f"{lost:+.1f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def shares(found: Mapping[str, tuple[int, int]]) -> list[str]:
    """Return the share of each condition with half of its interval."""
    cells = []
    for condition in CONDITIONS:
        hits, total = found[condition]
        low, high = wilson_interval(hits, total)
        cells.append(f"{100 * hits / total:.1f} ±{50 * (high - low):.1f}")
    return cells


def mean(found: Mapping[str, tuple[int, int]]) -> float:
    return sum(hits / total for hits, total in found.values()) / len(found)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else None


def write_json(path: Path, value: Any) -> None:
    with written_beside(path) as part:
        part.write_text(json.dumps(value, indent=1) + "\n")


def processor_seconds() -> float:
    """Return what this process and its children that ended have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    main()
