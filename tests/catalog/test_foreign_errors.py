"""What makes no sense is an error of the tree, whatever Python itself would raise."""

from __future__ import annotations

import io

import numpy as np
import pytest

import earmark


class Broken(io.RawIOBase):
    def read(self, count=-1):
        raise OSError(5, "Input/output error")


class Numbers(io.RawIOBase):
    def read(self, count=-1):
        return [1, 2, 3]


@pytest.fixture(scope="module")
def catalog(known):
    with earmark.open(known, read_only=True) as opened:
        yield opened


CLOSED = io.BytesIO(b"sound")
CLOSED.close()


@pytest.mark.parametrize(
    "source",
    [
        None, 5, 2.5, [1.0, 2.0], (), (np.zeros(9),), (np.zeros(9), 8_000, 1), (None, 8_000), ([[1], [1, 2]], 8_000),
        (np.zeros(9), None), (np.zeros(9), "8000"), (np.zeros(9), float("nan")), ("abc", 8_000), io.StringIO("text"),
        CLOSED, Numbers(),
    ],
    ids=lambda source: type(source).__name__,
)  # fmt: skip
def test_what_is_no_source_is_the_callers_error(catalog, source):
    for ask in (catalog.identify, earmark.fingerprint):
        with pytest.raises(earmark.OptionError):
            ask(source)


def test_a_stream_that_fails_is_an_input_that_cannot_be_read(catalog):
    with pytest.raises(earmark.MediaError, match="unreadable: the stream cannot be read"):
        catalog.identify(Broken())


@pytest.mark.parametrize("options", [{"threshold": "high"}, {"limit": "all"}, {"limit": 1.5}, {"limit": 0}])
def test_options_of_another_type_are_refused(catalog, options):
    with pytest.raises(earmark.OptionError):
        catalog.identify((np.zeros(8_000), 8_000), **options)


@pytest.mark.parametrize("paths", [None, 5, [None], [5.0]])
def test_what_is_no_path_is_refused(catalog_folder, paths):
    with earmark.open(catalog_folder) as catalog, pytest.raises(earmark.OptionError):
        catalog.add(paths)
