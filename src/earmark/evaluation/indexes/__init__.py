"""How well each index finds what exact search finds, how fast, and in how much memory.

    material.py   the vectors of a catalog, and disturbed copies of them that make a small catalog a large one
    clips.py      what is asked: the vectors of distorted clips
    measuring.py  builds an index, asks it, and compares its hits with those of exact search
    grid.py       which indexes, with which options
    report.py     a table as text, Markdown, CSV and JSON
    picture.py    recall over speed

docs/indexes.md prints the result.
"""

from __future__ import annotations
