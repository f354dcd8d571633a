"""Pictures of sounds and matches: sounds.py gathers what is drawn, figures.py draws it."""

from __future__ import annotations
