"""Long sounds that hold more than one thing, with their truth: what a catalog finds in them, and how well.

scene.py · kinds.py · material.py   what a scene is made of; its kinds; where pieces, talk and noise come from
render.py                           a scene as samples
ask.py · scoring.py · report.py     a catalog's passages; judged; figures, tables and JSON
"""

from __future__ import annotations
