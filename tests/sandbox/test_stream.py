"""Answers that come in parts, as long as sound arrives; a caller may leave off at any time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.errors import MediaError
from earmark.extract.live import LiveDecoder
from earmark.extract.live_task import TASK
from earmark.sandbox.process import Sandbox


def test_a_file_comes_in_parts_and_the_child_is_kept_for_the_next(music: Sequence[Path]) -> None:
    with Sandbox(TASK) as sandbox:
        processes = set()
        for _ in range(2):
            with music[0].open("rb") as file:
                parts = list(sandbox.stream(file, {"rate": 8_000}))
            processes.add(sandbox._child._process.pid)  # type: ignore[union-attr]
            samples = np.concatenate([np.frombuffer(part["pcm"], np.float32) for part in parts[1:]])
            assert np.array_equal(samples, load(music[0], rate=8_000)[0])
            assert parts[0]["declared"] == pytest.approx(len(samples) / 8_000, abs=0.1)
        assert len(processes) == 1


def test_a_pipe_is_decoded_while_it_is_written_to(music: Sequence[Path]) -> None:
    content = music[0].read_bytes()
    reading, writing = os.pipe()
    decoder = LiveDecoder()
    with os.fdopen(reading, "rb", buffering=0) as file, closing(decoder):
        os.write(writing, content[:60_000])
        blocks = decoder.samples(file, rate=8_000)
        first = next(blocks)
        assert len(first) > 0
        os.close(writing)
        assert len(list(blocks)) > 3


def test_a_caller_that_leaves_off_ends_the_child_and_the_next_gets_another(music: Sequence[Path]) -> None:
    decoder = LiveDecoder()
    with closing(decoder):
        for _ in range(2):
            with music[0].open("rb") as file, closing(decoder.samples(file, rate=8_000)) as blocks:
                next(blocks)
        with music[0].open("rb") as file:
            assert sum(map(len, decoder.samples(file, rate=8_000))) > 200_000


def test_closing_ends_a_stream_that_nobody_reads_on(music: Sequence[Path]) -> None:
    decoder = LiveDecoder()
    with music[0].open("rb") as file:
        blocks = decoder.samples(file, rate=8_000)
        next(blocks)
        decoder.close()  # in the same thread: it must not wait for the stream to end
        with pytest.raises(MediaError):
            list(blocks)


def test_what_is_no_sound_raises_as_a_file_does(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no sound" * 100)
    decoder = LiveDecoder()
    with (tmp_path / "text").open("rb") as file, closing(decoder), pytest.raises(MediaError, match="no audio"):
        list(decoder.samples(file, rate=8_000))
