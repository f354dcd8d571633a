"""Index a folder: python examples/index.py FOLDER CATALOG"""

import sys

import earmark

folder, path = sys.argv[1:]
with earmark.open(path) as catalog:
    report = catalog.add([folder], progress=lambda file: print(f"{file.done}/{file.total} {file.outcome} {file.path}"))
print(f"{len(report.added)} added, {len(report.unchanged)} unchanged, {len(report.failed)} failed")
