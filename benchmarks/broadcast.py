#!/usr/bin/env python3
"""Monitor a synthetic broadcast and score the plays as broadcasters do.

    python benchmarks/broadcast.py CATALOG MUSIC --speech FOLDER --unknown FOLDER [--minutes 20] [--noise 10] [--seed 1]

Known and unknown music of 20 s to 4 min with cross-fades of 3 s, talk between, talk over half of the music that is 0, 5
or 10 dB softer than it, jingles over it. The music is what CATALOG holds of the files below MUSIC.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

import earmark
from earmark.apps.monitor.truth import detection_of, is_same_track
from earmark.evaluation.costs import Processor
from earmark.evaluation.recordings import Recordings
from earmark.evaluation.scenes.material import Material
from earmark.evaluation.scenes.render import render
from earmark.evaluation.scenes.report import record, rows_of
from earmark.evaluation.scenes.scene import Excerpt, Scene
from earmark.evaluation.scenes.scores import SceneScore, score

RATE = 16_000  # Hz
FADE_SECONDS = 3.0
JINGLES, JINGLE_SECONDS = 3, 5.0
OVER_SPEECH = (0.0, 5.0, 10.0)  # decibels of music over talk
SUFFIXES = {".ogg", ".mp3", ".flac", ".opus", ".wav", ".m4a"}


def broadcast(material: Material, seconds: float, draw: np.random.Generator) -> list[Excerpt]:
    """Return what is on air, from 0 to `seconds`."""
    return list(programme(material, seconds, draw))


def programme(material: Material, seconds: float, draw: np.random.Generator) -> Iterator[Excerpt]:
    at, jingles = 0.0, [next(material.places(JINGLE_SECONDS, draw)) for _ in range(JINGLES)]
    while at < seconds - 30:
        if draw.random() < 0.2:  # talk alone
            length = min(float(draw.uniform(10, 40)), seconds - at)
            yield from (replace(one, at=one.at + at) for one in material.talk(length, draw))
            at += length
            continue
        length = min(float(np.exp(draw.uniform(np.log(20), np.log(240)))), seconds - at)
        try:
            is_known = draw.random() < 0.7
            place = next(material.places(length, draw) if is_known else material.other_places(length, draw))
        except earmark.OptionError:  # no recording is so long
            continue
        ratio = OVER_SPEECH[int(draw.integers(len(OVER_SPEECH)))] if draw.random() < 0.5 else None
        label = "clear" if ratio is None else f"speech{ratio:g}"
        yield Excerpt(
            place.path, place.start, at, length, place.gain, place.track, fade_in=FADE_SECONDS, fade_out=FADE_SECONDS,
            label=label if place.track else "",
        )  # fmt: skip
        if ratio is not None:
            gain = 10 ** (-ratio / 20)
            for one in material.talk(length, draw):
                yield replace(one, at=one.at + at, gain=one.gain * gain)
        if draw.random() < 0.3 and length > 30:
            jingle, begin = jingles[int(draw.integers(JINGLES))], at + float(draw.uniform(5, length - 10))
            yield Excerpt(jingle.path, jingle.start, begin, JINGLE_SECONDS, jingle.gain, jingle.track, label="jingle")
        at += length - FADE_SECONDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("music", type=Path)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--unknown", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--noise", type=float, help="decibels of all that over noise")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--look", type=float)
    parser.add_argument("--review", type=float)
    options = parser.parse_args()

    draw = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder, earmark.open(options.catalog, read_only=True) as catalog:
        known = [
            (track.id, Path(track.path))
            for track in catalog
            if Path(track.path).is_relative_to(options.music.resolve())
        ]
        files = {
            name: sorted(path for path in getattr(options, name).rglob("*") if path.suffix in SUFFIXES)
            for name in ("speech", "unknown")
        }
        sounds = Recordings(RATE, folder=Path(folder))
        material = Material(sounds, known, unknown=files["unknown"], speech=files["speech"])
        seconds = 60 * options.minutes
        excerpts = tuple(broadcast(material, seconds, draw))
        scene = Scene("broadcast", "all", 0, seconds, excerpts, options.noise, (options.seed, 7))
        path = Path(folder) / "broadcast.wav"
        soundfile.write(path, render(scene, material), RATE)
        print(f"{len(scene.pieces)} pieces of known music in {options.minutes:g} min")

        began, spent = time.perf_counter(), Processor()
        settings = earmark.MonitorOptions(look_seconds=options.look, review=options.review)
        station = earmark.Station(f"broadcast-{time.time_ns()}", path, start=time.time())
        plays: dict[int, earmark.Play] = {}
        delays = list[float]()
        with earmark.Monitor(catalog, [station], options=settings) as monitor:
            for event in monitor.events():
                if event.play is None:
                    continue
                plays[event.play.number] = event.play
                if event.kind == "first_heard":
                    delays.append(event.play.seconds)
        processor = spent.seconds
    accepted = [play for play in plays.values() if play.state == "accepted"]
    detections = [detection_of(play) for play in accepted]
    scored: SceneScore = score(scene, detections, is_same_track, processor_seconds=processor)
    for row in record(rows_of([scored])):
        shown = {
            name: row[name]
            for name in (
                "label",
                "precision",
                "recall",
                "f1",
                "fragmentation",
                "over_seconds",
                "border_median",
                "invented",
            )
        }
        print(json.dumps(shown, default=str))
    for one in scored.invented:
        print("invented", one)
    for piece, true in zip(scored.pieces, scene.pieces, strict=True):
        if not piece.named or piece.fragments > 1 or piece.border_error > 3:
            print(f"{true.label} {true.query_start:.1f} to {true.query_end:.1f}: {piece}")
    background = [play.prominence for play in accepted]
    print(
        f"processor {processor:.0f} s: {seconds / processor:.1f} x real time; clock {time.perf_counter() - began:.0f} s"
    )
    under = f"{background.count('background')} of {len(background)} in the background"
    print(f"first heard with {np.median(delays):.1f} s of it; {under}")


if __name__ == "__main__":
    main()
