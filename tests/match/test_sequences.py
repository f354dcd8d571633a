"""The fine search by sequences: pieces of recordings that were edited, on shelves of every kind of fingerprint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.errors import OptionError
from earmark.fingerprints import make
from earmark.match.agreement import agreement_of
from earmark.match.passages import Passage
from earmark.match.pieces import pieces_of
from earmark.match.protocol import Options, Similarities
from tests.match.shelf import Shelf, cut, shelf_of, with_noise

MAKERS: Mapping[str, Mapping[str, object]] = {
    "neural": {}, "vectors": {"peaks": False}, "shazam": {}, "philips": {}, "waveprint": {},
}  # fmt: skip
STEP = 0.1  # seconds of hand-made similarities
EDITED = 2  # a track of the shelves that does not repeat itself


@pytest.fixture(scope="module", params=MAKERS)
def kind(request: pytest.FixtureRequest, music: Sequence[Path]) -> Shelf:
    maker = make(request.param.replace("vectors", "neural"), **MAKERS[request.param])
    return shelf_of(maker, [load(path, rate=maker.rate)[0][: 26 * maker.rate] for path in music[:6]])


def told(shelf: Shelf, *parts: np.ndarray, align: str, **options: object) -> list[Passage]:
    clip = with_noise(np.concatenate(parts), 20.0)
    return shelf.ask(clip, threshold=None, several=True, align=align, **options)


def piece(shelf: Shelf, start: float, seconds: float, track: int = EDITED) -> np.ndarray:
    return cut(shelf.sounds[track], start, seconds, rate=shelf.maker.rate)


def test_what_was_cut_out_is_bridged_with_the_times_of_both_sides(kind: Shelf) -> None:
    found = told(kind, piece(kind, 1.0, 9.0), piece(kind, 14.0, 9.0), align="local")
    assert [one.track for one in found] == [EDITED, EDITED]
    assert [one.query_start for one in found] == pytest.approx([0.0, 9.0], abs=0.6)
    assert [one.query_end for one in found] == pytest.approx([9.0, 18.0], abs=0.6)
    starts = [one.reference_start - one.query_start for one in found]
    assert starts == pytest.approx([1.0, 5.0], abs=0.15)


def test_edits_bridge_it_too_with_softer_borders(kind: Shelf) -> None:
    found = told(kind, piece(kind, 1.0, 9.0), piece(kind, 14.0, 9.0), align="edit")
    assert {one.track for one in found} == {EDITED}
    first, last = found[0], found[-1]
    assert (first.query_start, last.query_end) == pytest.approx((0.0, 18.0), abs=0.6)
    assert first.reference_start == pytest.approx(1.0, abs=0.15)
    assert last.reference_end == pytest.approx(23.0, abs=0.6)


def test_what_was_put_in_is_a_piece_of_its_own(with_peaks: Shelf) -> None:
    found = told(
        with_peaks,
        piece(with_peaks, 1.0, 8.0),
        piece(with_peaks, 5.0, 5.0, 3),
        piece(with_peaks, 9.0, 8.0),
        align="local",
    )
    assert [one.track for one in found] == [EDITED, 3, EDITED]
    assert [one.query_start for one in found] == pytest.approx([0.0, 8.0, 13.0], abs=0.5)
    assert found[2].reference_start == pytest.approx(9.0, abs=0.5)


@pytest.mark.parametrize("align", ["edit", "local"])
def test_what_is_played_again_is_told_again(with_peaks: Shelf, align: str) -> None:
    found = told(with_peaks, piece(with_peaks, 2.0, 9.0), piece(with_peaks, 7.0, 9.0), align=align)
    assert [one.query_start for one in found] == pytest.approx([0.0, 9.0], abs=0.5)
    assert [one.reference_start for one in found] == pytest.approx([2.0, 7.0], abs=0.5)


def test_a_drop_out_parts_nothing(with_peaks: Shelf) -> None:
    sound = piece(with_peaks, 3.0, 15.0).copy()
    sound[7 * 8_000 : round(7.6 * 8_000)] = 0.0
    [one] = told(with_peaks, sound, align="local")
    assert (one.query_start, one.query_end) == (0.0, 15.0)
    assert one.reference_start == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize("align", ["edit", "local"])
def test_unknown_music_has_no_piece(with_peaks: Shelf, sounds: list[np.ndarray], align: str) -> None:
    assert told(with_peaks, cut(sounds[8], 0.0, 20.0), align=align) == []


@pytest.mark.parametrize("align", ["edit", "local"])
def test_a_short_clip_is_found_where_lines_find_it(with_peaks: Shelf, align: str) -> None:
    clip = with_noise(cut(with_peaks.sounds[EDITED], 4.0, 5.0), 5.0)
    [one] = with_peaks.ask(clip, threshold=None, limit=1, align=align)
    [same] = with_peaks.ask(clip, threshold=None, limit=1)
    assert one.track == same.track == EDITED
    assert one.reference_start == pytest.approx(same.reference_start, abs=0.05)


def test_silence_is_no_piece(kind: Shelf) -> None:
    assert kind.ask(np.zeros(8 * kind.maker.rate), align="local") == []


def test_nobody_aligns_by_another_name_or_at_another_speed() -> None:
    with pytest.raises(OptionError, match="'edit' or 'local'"):
        Options(align="global")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="own speed"):
        Options(align="edit", speed=True)


# --- similarities as log odds, and their pieces


def similarities(
    diagonals: Mapping[int, range], *, rows: int = 200, columns: int = 400, strength: float = 3.0
) -> Similarities:
    """Noise, with rows that agree with the column so many later."""
    values = np.random.default_rng(5).normal(size=(rows, columns)).astype(np.float32)
    for shift, where in diagonals.items():
        values[list(where), [row + shift for row in where]] += strength
    return Similarities(values, STEP, STEP / 2, STEP / 2)


@pytest.mark.parametrize("method", ["edit", "local"])
def test_pieces_begin_and_end_where_agreement_does(method: str) -> None:
    agreement = agreement_of(similarities({50: range(80), 120: range(80, 200)}), begin=10.0)
    first, second = pieces_of(agreement, 7, method=method)
    assert (first.track, first.start, second.end) == (7, 0.0, pytest.approx(20.0, abs=0.2))
    assert (first.end, second.start) == pytest.approx((8.0, 8.0), abs=0.3)
    assert first.track_start == pytest.approx(10.0 + 5.0, abs=0.2)
    assert second.reference_at(15.0) == pytest.approx(10.0 + 15.0 + 12.0, abs=0.1)


def test_what_says_nothing_is_neither_for_nor_against() -> None:
    similar = similarities({50: range(200)})
    similar.values[:, ::2] = np.nan
    [one] = pieces_of(agreement_of(similar), 1, method="local")
    assert (one.start, one.end) == pytest.approx((0.0, 20.0), abs=0.3)


def test_chance_has_no_pieces() -> None:
    for method in ("edit", "local"):
        assert pieces_of(agreement_of(similarities({})), 1, method=method) == []


def test_log_odds_are_of_no_unit() -> None:
    similar = similarities({50: range(200)})
    turned = Similarities(5 * similar.values - 2, STEP, STEP / 2, STEP / 2)
    np.testing.assert_allclose(agreement_of(turned).log_odds, agreement_of(similar).log_odds, atol=1e-3)
