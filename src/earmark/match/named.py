"""What channels name in a window of a long sound, and what of that stands out from chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from earmark.match.protocol import Search
from earmark.match.votes import Guess, vote
from earmark.plan import Plan
from earmark.types import Hits, Keys

LOOK_UP_SECONDS = 0.25  # from one segment of a long sound that is looked up to the next
FEW_GUESSES = 4  # of a channel that may stand out
STANDING_OUT = 2.0  # times the votes of a usual guess: two that sound at once get 10 and more, by chance one gets 1.5
USUAL_GUESS = 5  # place among the guesses of the one whose votes are usual


@dataclass(frozen=True, slots=True)
class Named:
    """The places that one channel names."""

    layer: str  # that they were found by
    guesses: Sequence[Guess]  # most votes first

    @property
    def standing_out(self) -> list[Guess]:
        """The places that have far more votes than chance gives any."""
        usual = self.guesses[min(USUAL_GUESS, len(self.guesses) - 1)].votes if self.guesses else 0.0
        return [one for one in self.guesses[:FEW_GUESSES] if one.votes >= STANDING_OUT * usual]


def hits_of(keys: Mapping[str, Keys], plan: Plan, search: Search, *, layer: str | None = None) -> dict[str, Hits]:
    """Return what the channels, or those of one layer, find of the keys of a sound of many windows, at once."""
    found = {}
    for channel in plan.usual_channels:
        if channel.name in search.channels and channel.name in keys and layer in (None, channel.layer):
            asked = keys[channel.name]
            if channel.most_keys:
                asked = _spread(asked, max(round(LOOK_UP_SECONDS / channel.frame_seconds), 1))
            found[channel.name] = search.search(channel.name, asked, nearest=channel.nearest)
    return found


def named_by(plan: Plan, hits: Mapping[str, Hits], *, without: frozenset[int] = frozenset()) -> list[Named]:
    """Return what each channel names by its hits, but for some tracks."""
    return [
        Named(one.layer, [guess for guess in vote(hits[one.name], one) if guess.track not in without])
        for one in plan.usual_channels
        if one.name in hits
    ]


def _spread(keys: Keys, frames: int) -> Keys:
    """Return keys that are at least so many frames apart."""
    _, first = np.unique(keys.frames // frames, return_index=True)
    return Keys(keys.frames[first], keys.values[first])
