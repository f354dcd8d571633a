"""A kind of fingerprint from outside goes through everything, with no line of earmark that knows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import earmark
from earmark.apps.cli import main
from earmark.audio.decode import load
from earmark.evaluation.calibrate import calibrate, write
from earmark.evaluation.queries import Grid
from earmark.evaluation.samples import cut_clips
from earmark.fingerprints import NAMES, make
from earmark.match.compare import COMPARISONS

HERE = Path(__file__).parent
MOST_LINES = 80  # lines of its own that are not blank; the comparison is apart


@pytest.fixture
def catalog_path(music: Sequence[Path], tmp_path: Path) -> Path:
    with earmark.open(tmp_path / "bits.earmark", fingerprinter="bits") as catalog:
        report = catalog.add(list(music[:8]))
        assert len(report.added) == 8, report.failed
    return tmp_path / "bits.earmark"


def noisy(path: Path, start: float, seconds: float, decibels: float, rate: int = 16_000) -> tuple[np.ndarray, int]:
    clip = load(path, rate=rate)[0][round(start * rate) : round((start + seconds) * rate)]
    noise = np.random.default_rng(1).standard_normal(len(clip)).astype(np.float32)
    return clip + noise * np.float32(np.sqrt(np.mean(clip**2)) / 10 ** (decibels / 20)), rate


def test_it_is_one_small_file_and_earmark_does_not_know_it() -> None:
    assert sum(bool(line.strip()) for line in (HERE / "bits.py").read_text().splitlines()) <= MOST_LINES
    assert "bits" not in NAMES
    assert "signs" not in COMPARISONS


def test_it_indexes_and_identifies(catalog_path: Path, music: Sequence[Path]) -> None:
    with earmark.open(catalog_path, create=False, read_only=True) as catalog:
        for path in music[:3]:
            answer = catalog.identify(noisy(path, 8.0, 5.0, 25))
            assert not answer.calibrated
            assert answer.best is not None
            assert Path(answer.best.track.path) == path
            assert answer.best.reference_start == pytest.approx(8.0, abs=0.1)
            assert answer.best.evidence["z"] > answer.best.evidence["rival_z"] + 3


def test_it_survives_being_opened_rebuilt_exported_and_merged(
    catalog_path: Path, music: Sequence[Path], tmp_path: Path
) -> None:
    with earmark.open(catalog_path) as catalog:
        catalog.rebuild()
        copy = catalog.export(tmp_path / "copy.earmark")
        assert catalog.verify().ok
    with earmark.open(tmp_path / "other.earmark", fingerprinter="bits") as other:
        assert len(other.merge(copy).added) == 8
        best = other.identify(noisy(music[5], 3.0, 5.0, 15), threshold=0).best
        assert best is not None
        assert Path(best.track.path) == music[5]


def test_it_listens(catalog_path: Path, music: Sequence[Path]) -> None:
    samples, rate = noisy(music[1], 6.0, 6.0, 25)
    with earmark.open(catalog_path, create=False, read_only=True) as catalog:
        listener = catalog.listen(rate=rate)
        for block in np.array_split(samples, 30):
            listener.push(block)
        best = listener.finish().best
    assert best is not None
    assert Path(best.track.path) == music[1]


def test_blocks_and_takes_do_not_matter(music: Sequence[Path]) -> None:
    maker = make("bits")
    samples = load(music[0], rate=maker.rate)[0][: 8 * maker.rate]
    whole = maker.extract(samples).layers["bits"].values
    assert np.array_equal(maker.extract(np.array_split(samples, 53)).layers["bits"].values, whole)
    stream = maker.stream()
    stream.push(samples[: 5 * maker.rate])
    stream.take()
    stream.push(samples[5 * maker.rate :])
    assert np.array_equal(stream.take().layers["bits"].values, whole)
    assert np.array_equal(maker.unpack(maker.pack(maker.extract(samples))).layers["bits"].values, whole)


def test_it_is_evaluated_from_the_command_line(
    music: Sequence[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    for path in music[:5]:
        (folder / path.name).symlink_to(path)
    options = ["--fingerprinter", "bits", "--snr", "none", "--t60", "0", "--seconds", "4", "--count", "4", "--json"]
    assert main(["evaluate", str(folder), *options, "--out", str(tmp_path / "out")]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any("bits" in json.dumps(record) for record in records)


def test_it_is_calibrated_and_then_sure(catalog_path: Path, music: Sequence[Path]) -> None:
    unknown = {path.stem: path for path in music[8:14]}
    clips = cut_clips(catalog_path, unknown, Grid((15.0, 5.0), (0.0,), (3.0,)), count=12, seed=2)
    calibration, _ = calibrate([catalog_path], [clips], most_false=0.1)
    write(calibration, catalog_path / "calibration.json")
    with earmark.open(catalog_path, create=False, read_only=True) as catalog:
        answer = catalog.identify(noisy(music[2], 10.0, 5.0, 15))
        assert answer.calibrated
        assert answer.best is not None
        assert answer.best.confidence > 0.9
        assert not catalog.identify(noisy(music[12], 10.0, 5.0, 15)).matches
