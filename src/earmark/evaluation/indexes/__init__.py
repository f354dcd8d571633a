"""How well each index finds what exact search finds, how fast, and in how much memory. docs/indexes.md has the result.

vector_set.py  the vectors of a catalog, and disturbed copies of them that make a small catalog a large one
clips.py       the vectors of distorted clips, which an index is asked for
measure.py     builds an index, asks it, and compares its hits with those of exact search
grid.py · report.py · figure.py   the indexes and their options · the table · recall over speed
"""

from __future__ import annotations
