"""Which indexes are measured, with which options: as `pq:probes=64,rerank=100`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import signature

from earmark.errors import OptionError
from earmark.index import EVERY_CHANNEL, VECTOR_NAMES, make
from earmark.index.protocol import Index
from earmark.plan import LearnedCodes

EXACT = "linear"
APPROXIMATE_SCORES = ("both", "two_bit")  # indexes whose scores are estimates of the inner products
LEARNING = "hashcode"  # index that uses the codes of a network
SEARCH_OPTIONS = ("probes", "rerank", "breadth")  # options of a search, which need no other index to be built
GRID = (  # indexes from little to much effort, each over the range in which it goes from poor to good
    EXACT,
    "auto",
    "both",
    *(f"pq:probes={probes}" for probes in (8, 32, 128)),
    "pq:probes=256,rerank=1000",
    "pq:probes=128,bytes_per_vector=20",
    *(f"lsh:probes={probes}" for probes in (10, 100, 400, 1500, 4000)),
    "lsh:components=0,probes=1000",
    "lsh:components=0,probes=10",
    *(f"hashcode:probes={probes}" for probes in (100, 300, 1000, 3000)),
    *(f"hnsw:breadth={breadth}" for breadth in (32, 128, 256, 512)),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """An index with options."""

    name: str
    options: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Kind:
        """Return what 'pq:probes=64,rerank=100' means; raises OptionError when there is no such index or option."""
        name, _, rest = text.partition(":")
        if name not in (names := (EVERY_CHANNEL, *VECTOR_NAMES)):
            raise OptionError(f"index {name!r} holds no vectors: choose one of {', '.join(names)}")
        options: dict[str, int] = {}
        for part in filter(None, rest.split(",")):
            option, _, value = part.partition("=")
            if not value.isdecimal():
                raise OptionError(f"{part!r} in {text!r} is not OPTION=NUMBER")
            options[option] = int(value)
        kind = cls(name, options)
        kind.make()
        return kind

    def __str__(self) -> str:
        said = ",".join(f"{option}={value}" for option, value in self.options.items())
        return f"{self.name}:{said}" if said else self.name

    @property
    def engine(self) -> str:
        """The engine that holds vectors in an index of that name."""
        return "two_bit" if self.name == EVERY_CHANNEL else self.name

    @property
    def as_built(self) -> Kind:
        """This kind without the options that only say how it is asked."""
        return Kind(self.name, {name: value for name, value in self.options.items() if name not in SEARCH_OPTIONS})

    def make(self, codes: LearnedCodes | None = None) -> Index:
        """Return an empty index of this kind; raises OptionError for an option that it has not.

        `codes` are those that the vectors' network learned, which only `hashcode` uses.
        """
        learned = {"codes": codes} if self.name == LEARNING else {}
        try:
            return make(self.engine, **self.options, **learned)
        except TypeError as error:
            known = ", ".join(name for name in signature(type(make(self.engine))).parameters if name != "codes")
            unknown = ", ".join(name for name in self.options if name not in known.split(", ")) or error
            raise OptionError(
                f"{self}: {unknown} is no option of {self.name}, which has {known or 'none'}: see docs/indexes.md"
            ) from error
