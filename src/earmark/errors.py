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

TYPE_CHECKING = False  # typing's own, without its import, which is a fifth of a bare Python's start
if TYPE_CHECKING:
    from typing import ClassVar


class EarmarkError(Exception):
    """The root: catch this to catch all that earmark raises on purpose."""


class MediaError(EarmarkError):
    """A file or stream could not be read as audio.

    `code` is one of `CODES`; `detail` says more; `partial` is how many seconds had been read by then; `source` is what
    was read, where that is known: a path, or '3 bytes'.
    """

    MEANINGS: ClassVar[dict[str, str]] = {
        "unreadable": "it is no audio or video, it is damaged from the beginning on, or it cannot be opened",
        "unsupported": "it is a playlist, a picture or a text, or has a rate, channels or a codec that are not read",
        "no_audio": "it is a video without sound",
        "too_short": "it has less than 0.25 s of sound",
        "too_long": "it lasts longer than --longest allows",
        "too_large": "it needs more memory or room than a file may take",
        "low_information": "there is too little in it to tell recordings apart: silence, a tone, clicks",
        "timeout": "it took more processor time than its length allows",
        "decoder_crashed": "the process that decodes it ended",
    }
    CODES = tuple(MEANINGS)

    def __init__(self, code: str, detail: str, partial: float = 0.0, *, source: str = "") -> None:
        super().__init__(code, detail, partial)
        self.code, self.detail, self.partial, self.source = code, detail, partial, source

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}" if self.source else self.reason

    @property
    def reason(self) -> str:
        """The code and what more there is to say, without the source."""
        return f"{self.code}: {self.detail}"


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
