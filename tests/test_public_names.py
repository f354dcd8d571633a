"""What `import earmark` offers."""

import pytest

import earmark


def test_each_name_is_there_and_sorted():
    assert earmark.__all__ == sorted(earmark.__all__)
    assert dir(earmark) == earmark.__all__
    for name in earmark.__all__:
        assert getattr(earmark, name) is not None


def test_a_name_that_is_none_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = earmark.nothing


def test_errors_and_types_are_those_of_their_rooms():
    from earmark import errors, types

    assert earmark.MediaError is errors.MediaError
    assert earmark.Track is types.Track


def test_a_fingerprint_is_learned_unless_another_kind_is_named(music):
    assert earmark.fingerprint(music[0]).spec.name == "neural"
    assert set(earmark.fingerprint(music[0], peaks=False).layers) == {"vectors"}
    assert earmark.fingerprint(music[0], fingerprinter="shazam", density="lean").spec.name == "shazam"
