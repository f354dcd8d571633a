"""A picture of what questions cost over catalogs of several sizes, from what `question_cost.py --json` wrote.

python benchmarks/scale_picture.py --before FILE --after FILE --out PICTURE [--cell noise0@5]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def records(path: Path, cell: str) -> list[dict[str, Any]]:
    """Return the figures of the catalogs that were asked a cell's clips, the smallest first."""
    every = [json.loads(line) for line in path.read_text().splitlines()]
    return sorted((one for one in every if cell in one["cells"]), key=lambda one: one["tracks"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--after", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cell", default="noise0@5")
    options = parser.parse_args()
    figure, (search, parts) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for path, name in ((options.before, "scanned"), (options.after, "lists from 262,144 vectors on")):
        own = records(path, options.cell)
        costs = [one["cells"][options.cell]["milliseconds"]["vectors"] for one in own]
        search.plot([one["tracks"] for one in own], costs, "o-", label=name)
        largest, height = own[-1]["cells"][options.cell]["milliseconds"], 0.0
        parts.set_prop_cycle(None)
        for part, cost in largest.items():
            parts.bar(name.split()[0], cost, bottom=height, label=part if path == options.after else None)
            height += cost
    search.set(xscale="log", yscale="log", xlabel="tracks", ylabel="ms of the processor a clip", title="Vector search")
    parts.set(
        ylabel="ms of the processor a clip",
        title=f"All parts, {records(options.after, options.cell)[-1]['tracks']:,} tracks",
    )
    search.legend()
    parts.legend()
    figure.savefig(options.out, dpi=120)


if __name__ == "__main__":
    main()
