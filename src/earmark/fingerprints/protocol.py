"""What every fingerprinter does, rule-based or learned. A new kind is one class that derives from `Fingerprinter`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from hashlib import blake2b
from typing import Any, Protocol

import msgspec
import numpy as np

from earmark.errors import SpecMismatch
from earmark.plan import Plan
from earmark.types import Fingerprint, Keys, Samples, Spec


class Extraction(Protocol):
    """The features of sound that comes in blocks; the same whatever their size."""

    def push(self, samples: Samples) -> None:
        """Take the next mono samples, at the fingerprinter's rate."""

    def take(self, *, since_seconds: float = 0.0) -> Fingerprint:
        """Return the fingerprint of what was pushed from a second on, as if the sound ended here; frames count from it.

        Features before that second are forgotten, so that a stream may last for ever.
        """


class Fingerprinter(ABC):
    """Turns sound into a fingerprint, and a fingerprint into what an index looks up."""

    spec: Spec  # name, version and a digest of every number that shapes features or keys
    rate: int  # Hz of the samples that it takes
    plan: Plan  # how its features are looked up, compared and weighed
    hertz_per_bin: float = 0.0  # of peaks, where it has some
    formerly: tuple[str, ...] = ()  # specs of earlier releases whose features are the same

    @abstractmethod
    def stream(self, *, query: bool = False) -> Extraction:
        """Return an extraction; of a `query` it may look closer, because a clip is short and a catalog is not."""

    def glance(self, samples: Samples) -> Fingerprint:
        """Return the features of a clip by the plan's `glance`, which a fingerprinter with one defines."""
        raise NotImplementedError(f"{self.spec} looks at clips closely at once")

    @abstractmethod
    def keys(self, fingerprint: Fingerprint, *, query: bool = False) -> Mapping[str, Keys]:
        """Return, by channel, what an index stores of a recording, or looks up for a query."""

    def warped_keys(self, fingerprint: Fingerprint) -> Keys:
        """Return what a query looks up in the channel of the plan's `warp`, which a fingerprinter with one defines."""
        raise NotImplementedError(f"{self.spec} finds no clips at any speed")

    def keys_at_speed(self, fingerprint: Fingerprint, speed: float) -> Mapping[str, Keys]:
        """Return, by channel, about what `keys` would of the same sound played by a factor faster and higher.

        A kind whose features do not tell has none.
        """
        return {}

    @abstractmethod
    def pack(self, fingerprint: Fingerprint) -> bytes:
        """Return a compact form for the catalog; the features survive it exactly."""

    @abstractmethod
    def unpack(self, packed: bytes) -> Fingerprint:
        """Return what `pack` packed; raises SpecMismatch for another fingerprinter's, ValueError for damage."""

    def unpack_stored(self, packed: bytes) -> Fingerprint:
        """Return what `pack` packed of a recording; raises as `unpack` does, and ValueError for a clip's."""
        return self.unpack(packed)

    def extract(self, audio: Samples | Iterable[Samples], *, query: bool = False) -> Fingerprint:
        """Return the fingerprint of mono samples at `rate`, given whole or as consecutive blocks."""
        extraction = self.stream(query=query)
        for block in [audio] if isinstance(audio, np.ndarray) else audio:
            extraction.push(block)
        return extraction.take()

    def features_in(self, fingerprint: Fingerprint) -> int:
        """Return how many features of the layer that is compared first a fingerprint has."""
        return len(fingerprint.layers[self.plan.compare[0].layer].frames)

    def is_informative(self, fingerprint: Fingerprint, *, query: bool = False) -> bool:
        """Return whether a fingerprint has what tells recordings apart; silence, tones and clicks have not."""
        return self.features_in(fingerprint) >= self.min_features

    @property
    def min_features(self) -> int:
        """Least number of features: a recording or clip with fewer matches by chance."""
        return self.plan.compare[0].min_features

    def accepts(self, spec: Spec | str) -> bool:
        """Return whether fingerprints of a spec can be compared with its own."""
        return str(spec) in (str(self.spec), *self.formerly)

    def check(self, spec: Spec | str) -> None:
        """Raise SpecMismatch when fingerprints of a spec cannot be compared with its own."""
        if not self.accepts(spec):
            raise SpecMismatch(
                f"a fingerprint of {spec} meets one of {self.spec}: make both with the same fingerprinter and settings"
            )


def spec_of(name: str, version: int, shape: Any, added: Any = None) -> Spec:
    """Return a spec whose digest covers every field of a frozen dataclass, and of another where one is added."""
    numbers = asdict(shape) if added is None else [asdict(shape), asdict(added)]
    return Spec(name, version, blake2b(msgspec.json.encode(numbers), digest_size=4).hexdigest())
