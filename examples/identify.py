"""Identify clips: python examples/identify.py CATALOG CLIP..."""

import sys

import earmark

path, *clips = sys.argv[1:]
with earmark.open(path, create=False, read_only=True) as catalog:
    for clip in clips:
        answer = catalog.identify(clip)
        if answer.best:
            best = answer.best
            print(f"{clip}: {best.track.title} from {best.reference_start:.2f} s, confidence {best.confidence:.3f}")
        else:
            print(f"{clip}: no match ({answer.reason})")
