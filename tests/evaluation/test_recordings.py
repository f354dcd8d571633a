from __future__ import annotations

import numpy as np
import pytest
import soundfile

from earmark.evaluation.recordings import Recordings

RATE = 16_000


@pytest.fixture
def tone(tmp_path):
    """A second of a rising line, so that every sample tells its place."""
    path = tmp_path / "line.wav"
    soundfile.write(path, np.linspace(-0.5, 0.5, RATE, dtype=np.float32), RATE, subtype="FLOAT")
    return path


def test_any_piece_of_a_recording_can_be_had_with_zeros_outside(tone):
    with Recordings(RATE) as sounds:
        assert sounds.seconds(tone) == 1
        piece = sounds.piece(tone, 0.75, 0.5)
        assert piece.dtype == np.float32
        assert piece[: RATE // 4] == pytest.approx(np.linspace(0.25, 0.5, RATE // 4), abs=2e-4)
        assert not piece[RATE // 4 :].any()


def test_what_is_decoded_is_kept_for_other_runs_unless_the_file_changes(tone, tmp_path):
    kept = tmp_path / "kept"
    with Recordings(RATE, folder=kept) as sounds:
        sounds.mapped(tone)
    (first,) = kept.iterdir()
    stamp = first.stat().st_mtime_ns
    with Recordings(RATE, folder=kept) as sounds:
        sounds.mapped(tone)
    assert first.stat().st_mtime_ns == stamp
    soundfile.write(tone, np.zeros(RATE // 2, np.float32), RATE, subtype="FLOAT")
    with Recordings(RATE, folder=kept) as sounds:
        assert sounds.seconds(tone) == 0.5
    assert len(list(kept.iterdir())) == 2
