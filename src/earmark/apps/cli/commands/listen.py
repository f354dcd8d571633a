"""`earmark listen`: what plays in the room, by the microphone."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from earmark.apps.cli.failures import DONE, NOT_FOUND
from earmark.apps.cli.options import add_catalog, add_output, catalog_path, duration, probability
from earmark.apps.cli.output import Output
from earmark.apps.text import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earmark.apps.listen import ListenEvent
    from earmark.streams.items import Source

RATE = 16_000  # Hz; fingerprints look below 8 kHz
METER = 20  # characters that the level meter is long
SOFTEST = -60.0  # dB re full scale at which the level meter begins
PLAYING = ("found", "moved", "corrected", "playing")  # kinds of events about what plays now


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_catalog(parser)
    parser.add_argument("--once", action="store_true", help="end with the first answer")
    parser.add_argument("--seconds", type=duration, metavar="SECONDS", help="end after so much sound")
    parser.add_argument("--device", metavar="DEVICE", help="a sound device, by its number or a part of its name")
    parser.add_argument(
        "--threshold",
        type=probability,
        metavar="P",
        help="answer from this confidence on (default: the calibrated one)",
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Listen until Ctrl-C; exit status 1 when nothing was found."""
    import earmark
    from earmark.streams.microphone import MicrophoneSource

    output = Output.of(options)
    with earmark.open(catalog_path(options), create=False, read_only=True) as catalog:
        source = MicrophoneSource(options.device, rate=RATE)
        output.remark(f"earmark: listening to {source.name}; Ctrl-C ends")
        screen, found = Screen(output), False
        try:
            for event in heard(catalog, source, options.threshold, options.seconds):
                screen.show(event)
                found |= event.kind in PLAYING
                if options.once and found:
                    break
        except KeyboardInterrupt:
            pass
        finally:
            source.close()
            screen.close()
    return DONE if found else NOT_FOUND


def heard(catalog: Any, source: Source, threshold: float | None, seconds: float | None) -> Iterator[ListenEvent]:
    """Yield what is known of a source's sound, `seconds` of it at most, and at the end all."""
    from earmark.apps.listen import Listening

    listening, latest = Listening(catalog, rate=source.rate, threshold=threshold), 0.0
    for item in source.items():
        for event in listening.take(item):
            latest = event.seconds
            yield event
        if seconds is not None and latest >= seconds:
            break
    yield listening.end()


class Screen:
    """Prints events: each as a JSON object, or a line that is written over, and one that stays for what is new."""

    def __init__(self, output: Output) -> None:
        self._output, self._is_drawn = output, False
        self._draws = output.interactive and not output.json

    def show(self, event: ListenEvent) -> None:
        """Print an event."""
        self._output.record(record(event))
        if event.kind in ("found", "moved", "lost"):
            self.close()
            self._output.line(sentence(event))
        if self._draws and event.kind != "ended":
            sys.stderr.write(f"\r\x1b[K{meter(event.level)} {status(event)}")
            sys.stderr.flush()
            self._is_drawn = True
        sys.stdout.flush()

    def close(self) -> None:
        """End the line that is written over."""
        if self._is_drawn:
            sys.stderr.write("\r\x1b[K")
            self._is_drawn = False


def sentence(event: ListenEvent) -> str:
    """Return what is new as a line."""
    assert event.match is not None
    track = event.match.track
    title = " - ".join(part for part in (track.artist, track.title or track.path) if part)
    if event.kind == "lost":
        return f"{title} is over"
    verb = "jumped to" if event.kind == "moved" else "at"
    return (
        f"{title}, {verb} {clock(event.position)}, confidence {event.match.confidence:.3f}, after {event.seconds:.0f} s"
    )


def status(event: ListenEvent) -> str:
    """Return how things stand, for the line that is written over."""
    from earmark.text import escaped

    if event.is_silent:
        return "no signal: is the right device chosen, and is it turned up?"
    warning = "  too loud, the sound is cut off: turn the device down" if event.is_clipped else ""
    if event.match is not None and event.kind in PLAYING:
        return f"{escaped(event.match.track.title or event.match.track.path)}, now at {clock(event.position)}{warning}"
    return f"listening… {event.seconds:.0f} s{warning}"


def meter(level: float) -> str:
    """Return a level in decibels as a bar."""
    filled = round(METER * min(max(1 - level / SOFTEST, 0.0), 1.0))
    return f"[{'#' * filled}{'-' * (METER - filled)}]"


def record(event: ListenEvent) -> dict[str, Any]:
    """Return an event as a JSON object."""
    from earmark.apps.records import match_record

    about = {} if event.match is None else {"match": match_record(event.match), "position": round(event.position, 3)}
    return {
        "event": "found" if event.kind in ("corrected", "playing") else event.kind,
        "at": event.at,
        "seconds": round(event.seconds, 3),
        "level": round(event.level, 1),
        "clipped": event.is_clipped,
        "silent": event.is_silent,
        **about,
    }
