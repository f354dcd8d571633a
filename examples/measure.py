"""Measure on music of your own: python examples/measure.py FOLDER

Indexes four fifths of the recordings, asks for 3 s clips of all of them under noise, and says how often it was right.
"""

import sys

import earmark
from earmark.evaluation.music import cut_corpus
from earmark.evaluation.queries import Grid
from earmark.evaluation.report import markdown

grid = Grid(snr_decibels=(10.0, 5.0, 0.0), t60_seconds=(0.0,), seconds=(3.0,))
corpus = cut_corpus(sys.argv[1], grid, count=20)
evaluation = earmark.evaluate(corpus, out="evaluation")  # a run that is there already goes on where it was

for name, report in evaluation.reports.items():
    print(f"{name}\n\n{markdown(report)}")
for path, reason in evaluation.failed.items():
    print(f"{path}: {reason}", file=sys.stderr)
