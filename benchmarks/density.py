"""The cost and the hit rate of each density of landmarks.

    python benchmarks/density.py FOLDER CLIPS [--most 50]

FOLDER has recordings and music.csv (track_id, path, seconds), CLIPS has clips and queries.csv (path, condition,
seconds, track_id), of which the first --most of each condition are asked.
"""

from __future__ import annotations

import argparse
import csv
import resource
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import earmark
from earmark.fingerprints.shazam import DENSITIES


def processor_seconds() -> float:
    """Return what this process and the children that ended have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def measure(density: str, music: list[dict[str, str]], folder: Path, clips: list[dict[str, str]], where: Path) -> None:
    """Index and ask with one density, and print a line for each length of clip."""
    ids = {str((folder / row["path"]).resolve()): row["track_id"] for row in music}
    hours = sum(float(row["seconds"]) for row in music) / 3600
    with tempfile.TemporaryDirectory() as place:
        catalog_folder = Path(place) / "music.earmark"
        began = processor_seconds()
        with earmark.open(catalog_folder, fingerprinter="shazam", density=density) as catalog:
            catalog.add(list(ids))
        indexing = hours * 3600 / (processor_seconds() - began)
        size = sum(file.stat().st_size for file in catalog_folder.rglob("*") if file.is_file()) / 1e6 / hours
        began = processor_seconds()
        right: dict[str, list[bool]] = defaultdict(list)
        with earmark.open(catalog_folder, create=False, read_only=True) as catalog:
            answers = catalog.identify_many([str(where / clip["path"]) for clip in clips])
            for clip, answer in zip(clips, answers, strict=True):
                named = ids.get(str(Path(answer.best.track.path).resolve())) if answer.best else ""
                right[clip["seconds"]].append(named == clip["track_id"])
        each = 1000 * (processor_seconds() - began) / len(clips)
    shares = "  ".join(f"{seconds} s: {sum(hits) / len(hits):.1%}" for seconds, hits in sorted(right.items()))
    costs = f"{size:.2f} MB an hour  {indexing:.0f} x real time a core  {each:.1f} ms a clip"
    print(f"{density:8}  {costs}  right at {shares}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--most", type=int, default=50)
    arguments = parser.parse_args()
    taken: Counter[tuple[str, str]] = Counter()
    clips = []
    for row in rows(arguments.clips / "queries.csv"):
        kind = row["condition"], row["seconds"]
        taken[kind] += 1
        if row["track_id"] and taken[kind] <= arguments.most:
            clips.append(row)
    for density in DENSITIES:
        measure(density, rows(arguments.folder / "music.csv"), arguments.folder, clips, arguments.clips)


if __name__ == "__main__":
    main()
