"""Measure on music of your own: python examples/measure.py FOLDER CATALOG

Indexes all but every fifth recording, asks for 3 s clips of all of them under noise, and says how often it was right.
"""

import sys
from pathlib import Path

import earmark
from earmark.datasets.folder import audio_files
from earmark.evaluation import queries, report
from earmark.evaluation import run as runs
from earmark.evaluation.truth import Sameness

folder, path = sys.argv[1:]
recordings = [(file.name, file) for file in audio_files(Path(folder))]
unknown = recordings[::5] if len(recordings) > 1 else []
known = [one for one in recordings if one not in unknown]
grid = queries.Grid(snr_decibels=(10.0, 5.0, 0.0), t60_seconds=(0.0,), seconds=(3.0,))
clips = queries.from_music(known, unknown, grid, count=20, seed=1)

parameters = {"folder": folder, "seed": 1, "files": runs.stamps(file for _, file in recordings)}
run = runs.run_folder(Path("evaluation"), "measured", parameters)  # what it holds is not asked again

with earmark.open(path) as catalog:
    catalog.add([str(file) for _, file in known], ids={str(file): name for name, file in known})
    replies = runs.answer(catalog, clips, run, maker=queries.ClipMaker())

with Sameness(dict(known)) as same_place:
    outcomes = report.outcomes_of(clips, replies, same_place)
print(report.markdown(report.summarise(outcomes, parameters=parameters, cost={})))
