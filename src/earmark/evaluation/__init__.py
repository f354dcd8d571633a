"""How well a catalog answers, measured in one way for everything.

    queries.py    clips of known music (and of unknown), distorted over a grid; or clips that lie in files
    running.py    puts them to a catalog through its public API; goes on where it was interrupted
    judging.py    what counts as right: track, place, loops and twins
    metrics.py    recall, reciprocal rank, false positives, intervals, calibration: numbers in, numbers out
    report.py     a table and JSON of one fingerprinter
    comparing.py  several beside one another
    indexes/      how well each index finds what exact search finds, how fast, in how much memory
    pictures.py   right answers over noise, and what a confidence is worth

docs/evaluation.md is the protocol.
"""

from __future__ import annotations
