"""Follow streams and files, and print what they play: python examples/monitor.py CATALOG SOURCE..."""

import sys
from datetime import UTC, datetime

import earmark

path, *sources = sys.argv[1:]
with (
    earmark.open(path, create=False, read_only=True) as catalog,
    earmark.Monitor(catalog, sources, options=earmark.MonitorOptions(allows_private=True)) as monitor,
):
    for event in monitor.events():
        if event.kind == "gap":
            print(f"{event.station}: {event.detail['reason']}; trying again")
        elif event.kind == "closed" and event.play is not None:
            play, start = event.play, datetime.fromtimestamp(event.play.start, UTC)
            print(f"{start:%H:%M:%S} {event.station}: {play.track.title}, {play.seconds:.0f} s, {play.prominence}")
