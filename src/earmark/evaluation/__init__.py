"""How well a catalog answers: distorted clips of known and of unknown music, put to it through its public API.

music.py · queries.py · run.py   a corpus from a folder; clips; asking, and going on after an interrupt
truth.py · metrics.py            what counts as right; numbers in, numbers out
report.py · comparison.py · figures.py · canvas.py   tables, JSON and pictures
calibrate.py · indexes/          fit a confidence; recall, speed and memory of each index
"""

from __future__ import annotations
