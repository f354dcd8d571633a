"""The index of a catalog: one engine for each channel that it holds.

In the index "both", the channel's name and "-" come before the names of an engine's arrays; else they are as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.index import CODE_NAMES, EVERY_CHANNEL, NAMES, VECTOR_NAMES, load, make, metric_of
from earmark.index.protocol import NEAREST, Index, Snapshot
from earmark.plan import Channel
from earmark.types import Hits, Keys

ENGINE_OF_METRIC = {"inner": "two_bit", "equal": "postings"}  # engine; candidates are compared again, so small ones do
FORMER_NAMES = {"landmarks": "codes"}  # channels as releases up to 0.1 named their arrays; stats still do


@dataclass(frozen=True, slots=True)
class ChannelsSnapshot:
    """What all engines held at one moment."""

    snapshots: Mapping[str, Snapshot]  # snapshot of each channel's engine

    @property
    def channels(self) -> frozenset[str]:
        """Names of the channels that are indexed."""
        return frozenset(self.snapshots)

    def search(self, channel: str, keys: Keys, *, nearest: int = NEAREST) -> Hits:
        """Return where a query's keys of one channel stand in the references; raises OptionError for an unknown one."""
        if channel not in self.snapshots:
            raise OptionError(f"channel {channel!r} is not indexed: choose one of {', '.join(sorted(self.snapshots))}")
        return self.snapshots[channel].search(keys.frames, keys.values, nearest=nearest)


class Channels:
    """An index by name: "both" has an engine for every channel, an engine's name means the first that it can hold."""

    def __init__(self, name: str, channels: Sequence[Channel]) -> None:
        """Make an empty index; raises OptionError when there is none of that name, or it can hold no channel."""
        self._with_prefixes = name == EVERY_CHANNEL
        self._engines: dict[str, Index] = {
            channel.name: make(engine, **_options(channel, engine)) for channel, engine in _held(name, channels)
        }

    def add(self, track: int, keys: Mapping[str, Keys]) -> None:
        """Add a recording's keys by channel; those of channels that are not indexed are passed over."""
        for name, engine in self._engines.items():
            if name in keys:
                engine.add(track, keys[name].frames, keys[name].values)

    def remove(self, tracks: Iterable[int]) -> None:
        """Forget these tracks."""
        numbers = list(tracks)
        for engine in self._engines.values():
            engine.remove(numbers)

    def tracks(self) -> set[int]:
        """Return the numbers of all tracks that are there."""
        return set[int]().union(*(engine.tracks() for engine in self._engines.values()))

    def holds(self, track: int, keys: Mapping[str, Keys]) -> bool:
        """Return whether every engine has a recording's keys where they stand."""
        return all(
            engine.holds(track, keys[name].frames, keys[name].values)
            for name, engine in self._engines.items()
            if name in keys
        )

    def snapshot(self) -> ChannelsSnapshot:
        """Return what the index holds now."""
        return ChannelsSnapshot({name: engine.snapshot() for name, engine in self._engines.items()})

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return all engines as named arrays."""
        return {
            f"{name}-{key}" if self._with_prefixes else key: array
            for name, engine in self._engines.items()
            for key, array in engine.arrays().items()
        }

    @classmethod
    def from_arrays(cls, name: str, channels: Sequence[Channel], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the index that `arrays` described; the arrays are not copied."""
        index = cls(name, channels)
        for channel, engine in _held(name, channels):
            own = _own_arrays(arrays, channel.name) if index._with_prefixes else arrays
            index._engines[channel.name] = load(engine, own, **_options(channel, engine))
        return index

    def stats(self) -> Mapping[str, float]:
        """Return the figures of the first channel, and those of the others after their name."""
        figures: dict[str, float] = {}
        for place, (name, engine) in enumerate(self._engines.items()):
            before = f"{FORMER_NAMES.get(name, name)}_" if place else ""
            figures |= {f"{before}{key}": value for key, value in engine.stats().items()}
        return figures


def index_name(wanted: str | None, channels: Sequence[Channel], kind: str) -> str:
    """Return `wanted`, or where it is None the name of the index that suits the channels of a kind of fingerprint.

    Raises OptionError for an index that there is not, or that holds other keys than that kind makes.
    """
    names = {"equal": CODE_NAMES, "inner": VECTOR_NAMES}[channels[0].metric]
    suited = EVERY_CHANNEL if len(channels) > 1 else channels[0].engine or names[0]
    if wanted is None or wanted == suited:
        return suited
    if wanted not in NAMES:
        raise OptionError(f"index {wanted!r} is not known: choose one of {', '.join(NAMES)}")
    if wanted == EVERY_CHANNEL and names is VECTOR_NAMES:
        raise OptionError(f"index {wanted!r} holds landmarks too, and without peaks there are none: use {suited}")
    if wanted not in names:
        others = ", ".join(dict.fromkeys((suited, *names)))
        raise OptionError(f"index {wanted!r} cannot hold what {kind} makes: choose one of {others}")
    return wanted


def _held(name: str, channels: Sequence[Channel]) -> list[tuple[Channel, str]]:
    """Return the channels that an index of that name holds, each with the name of its engine."""
    if name == EVERY_CHANNEL:
        held = [(one, ENGINE_OF_METRIC[one.metric]) for one in channels if one.metric in ENGINE_OF_METRIC]
    else:
        held = [(one, name) for one in channels if one.metric == metric_of(name)][:1]
    if not held:
        names = ", ".join(one.name for one in channels)
        raise OptionError(f"index {name!r} cannot hold any of {names}: choose another")
    return held


def _options(channel: Channel, engine: str) -> dict[str, Any]:
    """Return what an engine has to know of its channel."""
    if engine == "hashcode":
        return {"codes": channel.codes}
    return {"key_bits": channel.key_bits} if channel.metric == "equal" else {}


def _own_arrays(arrays: Mapping[str, NDArray[Any]], channel: str) -> dict[str, NDArray[Any]]:
    names = (f"{channel}-", f"{FORMER_NAMES.get(channel, channel)}-")
    return {key.partition("-")[2]: array for key, array in arrays.items() if key.startswith(names)}
