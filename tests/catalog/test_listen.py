"""Sound as it arrives: the same answer whatever the blocks, as soon as it is sure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import earmark
from earmark.audio.decode import load
from earmark.errors import OptionError

RATE = 8_000  # that of the learned fingerprint, so that nothing is resampled


@pytest.fixture(scope="module")
def catalog(music: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[earmark.Catalog]:
    with earmark.open(tmp_path_factory.mktemp("listen") / "music.earmark") as opened:
        opened.add(list(music[:6]))
        yield opened


def clip_of(path: Path, start: float, seconds: float) -> np.ndarray:
    return load(path, rate=RATE)[0][round(start * RATE) : round((start + seconds) * RATE)]


def cut(samples: np.ndarray, sizes: str) -> list[np.ndarray]:
    """Cut samples into blocks of one size, or of sizes drawn at random."""
    if sizes == "random":
        draw = np.random.default_rng(5)
        edges = np.cumsum(draw.integers(1, 9_000, len(samples) // 2_000))
        return np.split(samples, edges[edges < len(samples)])
    return np.split(samples, np.arange(int(sizes), len(samples), int(sizes)))


@pytest.mark.parametrize("sizes", ["1", "1024", "8000", "random"])
def test_a_clip_in_blocks_has_the_answer_of_the_file(
    catalog: earmark.Catalog, music: Sequence[Path], sizes: str
) -> None:
    clip = clip_of(music[2], 9.0, 3.0)
    whole = catalog.identify((clip, RATE), closely=True).best  # as a stream is looked at
    listener = catalog.listen(rate=RATE)
    for block in cut(clip, sizes):
        listener.push(block)
    best = listener.finish().best
    assert whole is not None
    assert best == whole


def test_it_is_sure_before_the_sound_ends_and_knows_the_place(catalog: earmark.Catalog, music: Sequence[Path]) -> None:
    clip, listener = clip_of(music[4], 5.0, 12.0), catalog.listen(rate=RATE)
    for block in cut(clip, "1024"):
        if (answer := listener.push(block)) is not None:
            break
    assert answer is not None
    assert listener.seconds < 4
    assert answer.best is not None
    assert Path(answer.best.track.path).stem == music[4].stem
    assert answer.best.reference_start == pytest.approx(5.0, abs=0.05)


def test_a_long_stream_names_one_recording_after_another(catalog: earmark.Catalog, music: Sequence[Path]) -> None:
    stream = np.concatenate([clip_of(music[0], 0.0, 22.0), clip_of(music[3], 4.0, 22.0)])
    listener = catalog.listen(rate=RATE)
    for block in cut(stream, "8000"):
        listener.push(block)
    names = {Path(match.track.path).stem for match in listener.finish().matches}
    assert names == {music[0].stem, music[3].stem}


def test_unknown_music_has_an_answer_without_matches(catalog: earmark.Catalog, music: Sequence[Path]) -> None:
    listener = catalog.listen(rate=RATE)
    assert listener.push(clip_of(music[10], 3.0, 8.0)) is None
    answer = listener.finish()
    assert (answer.matches, answer.reason) == ((), "unknown")


def test_silence_is_no_recording(catalog: earmark.Catalog) -> None:
    listener = catalog.listen(rate=48_000)
    listener.push(np.zeros(48_000 * 3, np.float32))
    assert listener.finish().reason == "silent"
    with pytest.raises(OptionError, match="listen again"):
        listener.push(np.zeros(10, np.float32))


def test_a_rate_or_samples_that_make_no_sense_are_refused(catalog: earmark.Catalog) -> None:
    with pytest.raises(OptionError, match="rate=0"):
        catalog.listen(rate=0)
    with pytest.raises(OptionError, match="not finite"):
        catalog.listen(rate=RATE).push(np.full(100, np.nan, np.float32))


def test_a_track_that_goes_while_it_is_heard_is_named_no_more(music: Sequence[Path], tmp_path: Path) -> None:
    with earmark.open(tmp_path / "few.earmark") as few:
        few.add(list(music[:3]))
        listener = few.listen(rate=RATE)
        for block in cut(clip_of(music[1], 0.0, 18.0), "8000"):
            listener.push(block)
        assert listener.answer is not None
        few.remove(few.find(music[1].stem)[0].id)
        for block in cut(clip_of(music[0], 0.0, 12.0), "8000"):
            listener.push(block)
        names = [Path(match.track.path).stem for match in listener.finish().matches]
        assert names == [music[0].stem]


def test_what_is_added_while_it_listens_is_found(music: Sequence[Path], tmp_path: Path) -> None:
    with earmark.open(tmp_path / "few.earmark") as writer:
        writer.add(list(music[:2]))
        with earmark.open(tmp_path / "few.earmark", read_only=True) as reader:
            listener = reader.listen(rate=RATE)
            listener.push(clip_of(music[4], 3.0, 3.0))
            writer.add(music[4])
            listener.push(clip_of(music[4], 6.0, 5.0))
            best = listener.finish().best
    assert best is not None
    assert Path(best.track.path) == music[4]


def test_a_look_as_at_a_recording_finds_the_same_and_what_begins_under_doubt(
    catalog: earmark.Catalog, music: Sequence[Path]
) -> None:
    """Unknown sound, a recording in noise, another one in the clear; also as the sound ends."""
    unknown, hidden, clear = clip_of(music[10], 3.0, 8.0), clip_of(music[1], 4.0, 14.0), clip_of(music[3], 2.0, 16.0)
    noise = np.random.default_rng(2).standard_normal(len(hidden)).astype(np.float32)
    hidden = hidden + noise * np.sqrt(np.mean(np.square(hidden))) * 0.7
    listener = catalog.listen(rate=RATE, several=True, is_close=False)
    for block in np.split(np.concatenate([unknown, hidden, clear]), range(40_000, 38 * RATE, 40_000)):
        listener.push(block)
    found = {Path(match.track.path).stem: match for match in listener.finish().matches}
    assert list(found) == [music[1].stem, music[3].stem]
    first, second = found.values()
    assert (first.query_start, first.query_end) == pytest.approx((8, 22), abs=1.0)
    assert (second.query_start, second.query_end) == pytest.approx((22, 38), abs=1.0)
    assert (first.reference_at(15), second.reference_at(30)) == pytest.approx((11, 10), abs=0.05)
    short = catalog.listen(rate=RATE, is_close=False)
    short.push(clip_of(music[2], 9.0, 4.0))
    best = short.finish().best
    assert best is not None
    assert Path(best.track.path) == music[2]
