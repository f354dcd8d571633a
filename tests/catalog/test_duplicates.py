"""Recordings that are in a catalog more than once, in several forms, are found and said to be so."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import earmark
from earmark.audio.decode import load
from earmark.distort.codecs import transcode
from earmark.distort.timing import change_speed
from earmark.types import Duplicate, SharedRange, Track

KINDS = {"landmarks beside vectors": "neural", "landmarks alone": "shazam"}
SPEED = 1.03
RATE = 16_000


@pytest.fixture(scope="session")
def forms(music, tmp_path_factory):
    """Files of one recording in several forms, and of two other ones; the first is the whole."""
    folder = tmp_path_factory.mktemp("forms")
    whole, other, third = (load(path, rate=RATE)[0] for path in music[:3])
    whole = whole[: 28 * RATE]
    sounds = {
        "whole": whole,
        "again": whole * np.float32(0.5),
        "mp3": transcode(whole, "mp3", rate=RATE, bit_rate=32_000),
        "cut": whole[round(3.3 * RATE) : round(25.1 * RATE)],
        "excerpt": whole[round(11.7 * RATE) : round(20.7 * RATE)],
        "faster": change_speed(whole, SPEED),
        "other": other,
        "third": third[: 20 * RATE],
    }
    for name, samples in sounds.items():
        soundfile.write(folder / f"{name}.wav", samples, RATE, subtype="PCM_16")
    return [folder / f"{name}.wav" for name in sounds]


@pytest.fixture(scope="session", params=KINDS.values(), ids=list(KINDS))
def found(request, forms, tmp_path_factory):
    """All pairs that a catalog of the forms tells, and its calls of progress."""
    calls = []
    with earmark.open(tmp_path_factory.mktemp("forms") / "c", fingerprinter=request.param) as catalog:
        catalog.add(forms)
        pairs = list(catalog.duplicates(progress=lambda *call: calls.append(call)))
    return pairs, calls


def named(track):
    return track.path.rpartition("/")[2].removesuffix(".wav")


def pair_of(pairs, one, other):
    """Return the pair of two forms, and whether it tells `one` first."""
    (pair,) = (pair for pair in pairs if {named(pair.first), named(pair.second)} == {one, other})
    return pair, named(pair.first) == one


def test_every_form_of_a_recording_is_in_one_group_and_no_other_recording(found):
    (group,) = earmark.duplicate_groups(found[0])
    assert {named(track) for track in group.tracks} == {"whole", "again", "mp3", "cut", "faster"}
    assert {named(track) for track in group.parts} == {"excerpt"}


@pytest.mark.parametrize("copy", ["again", "mp3", "faster"])
def test_a_copy_is_the_same_recording(found, copy):
    pair, _ = pair_of(found[0], "whole", copy)
    assert pair.relation == "same"


@pytest.mark.parametrize(("part", "start", "end"), [("cut", 3.3, 25.1), ("excerpt", 11.7, 20.7)])
def test_a_part_is_told_with_where_it_lies_in_the_whole(found, part, start, end):
    pair, part_is_first = pair_of(found[0], part, "whole")
    (one,) = pair.ranges
    assert (pair.relation, part_is_first) == ("part", True)
    assert (one.first_start, one.first_end) == pytest.approx((0, end - start), abs=0.3)
    assert (one.second_start, one.second_end) == pytest.approx((start, end), abs=0.3)


def test_another_speed_is_told(found):
    pair, faster_is_first = pair_of(found[0], "faster", "whole")
    assert pair.speed == pytest.approx(SPEED if faster_is_first else 1 / SPEED, abs=0.001)


def test_each_pair_is_told_once_and_progress_ends_with_the_last_track(found, forms):
    pairs, calls = found
    ids = [frozenset((pair.first.id, pair.second.id)) for pair in pairs]
    assert len(ids) == len(set(ids))
    assert calls == [(done, len(forms)) for done in range(1, len(forms) + 1)]


@pytest.mark.parametrize("kind", ["philips", "waveprint"])
def test_every_kind_of_fingerprint_finds_parts_at_the_same_speed(forms, tmp_path, kind):
    with earmark.open(tmp_path / "c", fingerprinter=kind) as catalog:
        catalog.add([path for path in forms if path.stem in ("whole", "cut", "other")])
        (pair,) = catalog.duplicates()
    assert (named(pair.first), named(pair.second), pair.relation) == ("cut", "whole", "part")
    assert pair.ranges[0].second_start == pytest.approx(3.3, abs=0.6)


def test_a_catalog_of_vectors_alone_is_refused(tmp_path):
    with (
        earmark.open(tmp_path / "c", peaks=False) as catalog,
        pytest.raises(earmark.OptionError, match="index the audio again with peaks"),
    ):
        catalog.duplicates()


def test_a_catalog_of_different_recordings_has_none(known):
    with earmark.open(known, read_only=True) as catalog:
        assert list(catalog.duplicates()) == []


def track(name, seconds):
    return Track(name, name, "", "", name, seconds)


def pair(one, other, share, relation="same"):
    return Duplicate(one, other, relation, (SharedRange(0, 10, 0, 10),), share)


def test_a_group_is_connected_by_pairs_that_hold_mostly_the_same():
    a, b, c = track("a", 100), track("b", 98), track("c", 60)
    (group,) = earmark.duplicate_groups([pair(b, a, 0.95), pair(c, b, 0.6, "part")])
    assert (group.tracks, group.parts) == ((a, b, c), ())


def test_excerpts_stand_with_the_recording_that_holds_them_and_join_no_groups():
    a, b, mix = track("a", 100), track("b", 100), track("mix", 1_000)
    first, second = earmark.duplicate_groups([pair(a, mix, 0.1, "part"), pair(b, mix, 0.1, "part"), pair(a, b, 1)])
    assert (first.tracks, sorted(one.id for one in first.parts)) == ((mix,), ["a", "b"])
    assert (sorted(one.id for one in second.tracks), second.parts) == (["a", "b"], ())
