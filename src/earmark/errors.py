"""Everything that earmark raises on purpose.

    EarmarkError
    ├── MediaError            a file or stream could not be read as audio (.code says why)
    ├── CatalogError
    │   ├── CatalogNotFound   nothing is there
    │   ├── CatalogLocked     another process is writing
    │   ├── CatalogDamaged    a checksum does not hold
    │   ├── CatalogTooNew     a newer earmark wrote it
    │   └── CatalogReadOnly   a change was asked of a reader
    ├── SpecMismatch          fingerprints of two kinds meet
    ├── TrackNotFound         no track has that id
    ├── TrackExists           another track has that id
    ├── PlayNotFound          no play has that number
    └── OptionError           an argument makes no sense

Each message holds the offending value and what to do about it.
"""

from __future__ import annotations


class EarmarkError(Exception):
    """The root: catch this to catch all that earmark raises on purpose."""


class MediaError(EarmarkError):
    """A file or stream could not be read as audio.

    `code` is one of `CODES`; `detail` says more; `partial` is how many seconds had been read by then.
    """

    CODES = (
        "unreadable",
        "unsupported",
        "no_audio",
        "too_short",
        "too_long",
        "too_large",
        "low_information",
        "timeout",
        "decoder_crashed",
    )

    def __init__(self, code: str, detail: str, partial: float = 0.0) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.partial = code, detail, partial


class CatalogError(EarmarkError):
    """The catalog cannot be used as asked."""


class CatalogNotFound(CatalogError):  # noqa: N818 - errors are named by what happened
    """No catalog is at that path."""


class CatalogLocked(CatalogError):  # noqa: N818
    """Another process is writing to this catalog."""


class CatalogDamaged(CatalogError):  # noqa: N818
    """A checksum does not hold; the message names what is damaged."""


class CatalogTooNew(CatalogError):  # noqa: N818
    """A newer earmark wrote this catalog."""


class CatalogReadOnly(CatalogError):  # noqa: N818
    """A change was asked of a catalog that is open for reading."""


class SpecMismatch(EarmarkError):  # noqa: N818
    """Two fingerprints of different specs were to be compared or mixed."""


class TrackNotFound(EarmarkError):  # noqa: N818
    """No track has that id."""


class TrackExists(EarmarkError):  # noqa: N818
    """Another track has that id already."""


class PlayNotFound(EarmarkError):  # noqa: N818
    """No play has that number."""


class OptionError(EarmarkError, ValueError):
    """An argument has a value that makes no sense."""
