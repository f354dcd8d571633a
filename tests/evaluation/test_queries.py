from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile

from earmark.distort import active_power
from earmark.errors import OptionError
from earmark.evaluation.queries import RATE, ClipMaker, Condition, Grid, from_clips, from_music

HEAD = "clip_id,path,condition,seconds,track_id,start,speed"
GRID = Grid(snr_decibels=(None, 5.0), t60_seconds=(0.0, 0.4), seconds=(1.0, 3.0), effects=("none", "speed+4"))


@pytest.fixture(scope="module")
def recordings(music):
    return [(path.stem, path) for path in music[:3]]


@pytest.fixture(scope="module")
def queries(recordings):
    return from_music(recordings[:2], recordings[2:], GRID, count=3, seed=7)


def test_every_condition_has_its_clips_of_known_and_of_unknown_music(queries, recordings):
    assert len(queries) == 16 * 3 * 2
    assert len({query.id for query in queries}) == len(queries)
    assert {query.track for query in queries} == {recordings[0][0], recordings[1][0], None}


def test_conditions_are_paired(queries):
    places = {}
    for query in queries:
        places.setdefault((query.condition, query.seconds), []).append((query.path, query.start))
    known = [place for (condition, _), place in places.items() if not condition.startswith("unknown")]
    assert len(known) == 16
    assert all(place == known[0] for place in known)


def test_the_same_seed_draws_the_same_and_another_one_others(queries, recordings):
    again = from_music(recordings[:2], recordings[2:], GRID, count=3, seed=7)
    other = from_music(recordings[:2], recordings[2:], GRID, count=3, seed=8)
    assert again == queries
    assert [query.start for query in other] != [query.start for query in queries]
    first, second = ClipMaker()(queries[5]), ClipMaker()(again[5])
    np.testing.assert_array_equal(first[0], second[0])


def test_a_clean_clip_is_the_music_at_its_place(queries):
    query = next(one for one in queries if one.condition == "clean" and one.seconds == 3)
    heard, rate = ClipMaker()(query)
    recording, own_rate = soundfile.read(query.path, dtype="float32")
    piece = recording[round(query.start * own_rate) :][: 3 * own_rate]
    assert (len(heard), rate) == (3 * RATE, RATE)
    low = np.abs(np.fft.rfft(heard, 3 * RATE))[300:9_000]
    expected = np.abs(np.fft.rfft(piece, 3 * own_rate))[300:9_000]
    assert np.corrcoef(low, expected)[0, 1] > 0.999


def test_every_distortion_leaves_a_clip_of_the_length_that_was_asked_for(queries):
    maker = ClipMaker()
    for query in queries[:16]:
        heard, _ = maker(query)
        assert len(heard) == round(query.seconds * RATE)
        assert np.isfinite(heard).all()
        assert 0.2 < np.abs(heard).max() < 1


@pytest.mark.parametrize("effect", ["mp3", "telephone", "compressed", "clipped", "tempo-4", "pitch+6"])
def test_effects_change_the_clip(recordings, effect):
    plain, changed = from_music(recordings[:1], [], Grid((None,), (0.0,), (2.0,), ("none", effect)), count=1, seed=1)
    maker = ClipMaker()
    assert np.abs(maker(plain)[0] - maker(changed)[0]).max() > 1e-3


def test_recorded_noise_is_used_when_there_is_some(recordings, tmp_path):
    tone = np.sin(2 * np.pi * 3_000 * np.arange(RATE) / RATE).astype(np.float32)
    soundfile.write(tmp_path / "tone.wav", tone, RATE)
    query = from_music(recordings[:1], [], Grid((-20.0,), (0.0,), (2.0,)), count=1, seed=1)[0]
    heard, rate = ClipMaker([tmp_path / "tone.wav"])(query)
    spectrum = np.abs(np.fft.rfft(heard))
    assert np.argmax(spectrum) / 2 == pytest.approx(3_000, abs=1)
    assert active_power(heard, rate=rate) > 0


def test_speech_lies_over_music_at_its_ratio(recordings, tmp_path):
    """A voice as a tone of 3 kHz is found in the clip, ever louder as the ratio falls."""
    tone = 0.3 * np.sin(2 * np.pi * 3_000 * np.arange(RATE) / RATE).astype(np.float32)
    soundfile.write(tmp_path / "voice.wav", tone, RATE)
    effects = ("speech5", "speech0", "speech-5")
    queries = from_music(recordings[:1], [], Grid((None,), (0.0,), (2.0,), effects), count=1, seed=1)
    shares = []
    for query in queries:
        heard, _ = ClipMaker(speech=[tmp_path / "voice.wav"])(query)
        powers = np.abs(np.fft.rfft(heard)) ** 2
        shares.append(powers[5_990:6_011].sum() / powers.sum())
    assert shares == pytest.approx([1 / (1 + 10**0.5), 0.5, 1 / (1 + 10**-0.5)], abs=0.05)
    with pytest.raises(OptionError, match="--speech"):
        ClipMaker()(queries[0])


def test_music_without_a_loud_place_is_refused(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(10 * RATE, np.float32), RATE)
    with pytest.raises(OptionError, match="no recording has"):
        from_music([("silence", tmp_path / "silence.wav")], [], GRID, count=1, seed=1)


def test_conditions_have_names_and_speeds():
    assert str(Condition()) == "clean"
    assert str(Condition(0.0, 0.5, "mp3")) == "mp3 t60=0.5 snr=0"
    assert [Condition(effect=effect).speed for effect in ("none", "speed+4", "tempo-4")] == [1, 1.04, 0.96]
    assert [Condition(effect=effect).pitch for effect in ("none", "speed+4", "tempo-4", "pitch-12")] == [
        1,
        1.04,
        1,
        0.88,
    ]
    assert Condition(effect="pitch-12").speed == 1
    for effect in ("flanger", "speed+31", "speech+5", "speech40"):
        with pytest.raises(OptionError, match=rf"effect '{re.escape(effect)}'; give one of none, mp3"):
            Condition(effect=effect)


def test_clips_of_a_folder_are_read_with_their_table(tmp_path):
    head = "clip_id,path,condition,seconds,track_id,start,speed\n"
    rows = "n/1,n/1.wav,nrev5,2,a,3.5,1\nq/1,q/1.wav,negspeech,1,,,1\n"
    (tmp_path / "queries.csv").write_text(f"\ufeff{head}{rows}", encoding="utf-8")  # as spreadsheets write it
    for name in ("n/1.wav", "q/1.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    known, unknown = from_clips(tmp_path)
    assert (known.track, known.start, known.snr_decibels, known.path) == ("a", 3.5, 5.0, tmp_path / "n" / "1.wav")
    assert (unknown.track, unknown.snr_decibels) == (None, None)
    assert ClipMaker()(known) == str(tmp_path / "n" / "1.wav")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "No such file or directory; give a folder with its table"),
        (b"clip_id,path\n1,1.wav\n", "has no column condition, seconds, track_id, start, speed; its first line"),
        (f"{HEAD}\n".encode(), "has no rows"),
        (f"{HEAD}\n1,1.wav,cl\xe9an,5,a,3,1\n".encode("latin-1"), "is no table in UTF-8"),
        (f"{HEAD}\n1,1.wav,clean\n".encode(), "row 2: seconds is '', which is no number above 0"),
        (f"{HEAD}\n1,1.wav,clean,5,a,3,nan\n".encode(), "row 2: speed is 'nan', which is no number above 0"),
        (f"{HEAD}\n1,1.wav,clean,5,a,late,1\n".encode(), "row 2: start is 'late', which is no number"),
        (f"{HEAD}\n1,1.wav,clean,5,a,3,1\n1,2.wav,clean,5,a,3,1\n".encode(), "row 3: the clip_id '1' is there twice"),
        (f"{HEAD}\n1,1.wav,clean,5,a,3,1\n".encode(), "1.wav, which is not there"),
    ],
)
def test_what_is_wrong_with_a_table_of_clips_is_said(tmp_path, table, message):
    if table is not None:
        (tmp_path / "queries.csv").write_bytes(table)
    with pytest.raises(OptionError, match=re.escape(message)):
        from_clips(tmp_path)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"seconds": (0.0,)}, "clips of 0 s; give a length above 0"),
        ({"seconds": (float("nan"),)}, "clips of nan s; give a length above 0"),
        ({"t60_seconds": (99.0,)}, "a room of T60 99 s; give 0, for none, to 10 s"),
        ({"snr_decibels": (float("inf"),)}, "noise of inf dB; give -100 to 100 dB, or none"),
    ],
)
def test_a_grid_of_what_cannot_be_is_refused(grid, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        Grid(**grid)


def test_recordings_that_cannot_be_read_are_no_short_music(tmp_path):
    (tmp_path / "broken.mp3").write_bytes(b"no sound at all")
    with pytest.raises(OptionError, match=r"no recording can be read, as .*broken.mp3 \(unreadable: "):
        from_music([("broken", tmp_path / "broken.mp3")], [], GRID, count=1, seed=1)
