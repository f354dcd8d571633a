"""How well a catalog answers: distorted clips of known and of unknown music, put to it through its public API.

music.py · queries.py · recordings.py · run.py   a corpus; clips; recordings at any place; asking, which goes on
truth.py · metrics.py                            what counts as right; numbers in, numbers out
report.py · comparison.py · figures.py · canvas.py   tables, JSON and pictures
calibrate.py · indexes/ · scenes/                confidences; kinds of index; long sounds that hold more than one thing
"""

from __future__ import annotations
