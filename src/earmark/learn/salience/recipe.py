"""Every number of a relief's run, read from TOML; `learns = "relief"` tells it from a fingerprint's."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import msgspec

from earmark.audio.stft import FrontEnd
from earmark.errors import OptionError
from earmark.fingerprints.neural import PEAK_FRAMES
from earmark.fingerprints.salience import STRIDE
from earmark.learn.recipe import Noises, Playing, Recipe, Rooms, check_schedule, converted, decoded

GRIDS = 3  # of the network
BINS_STRIDE = 16  # its coarsest grid
BESIDE_VECTORS = FrontEnd(rate=8_000, window=1_024, hop=125, low_bin=4, high_bin=500)


class ReliefRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A relief's run: same recipe, same seed, same sounds, same network (up to the order of sums in threads)."""

    name: str
    learns: Literal["relief"]
    front_end: dict[str, Any] = {}  # of FrontEnd; what is left out is as beside the vectors of the default model
    clip_frames: int = 64  # a clip's length in hops
    widths: tuple[int, ...] = (16, 32, 48)  # of the network's fine, middle and coarse grid
    ranges: dict[str, Any] = {}  # of earmark.distort.Ranges
    playing: Playing = Playing()
    noises: Noises = Noises()
    rooms: Rooms = Rooms()
    history_seconds: float = 1.0  # of music before a clip that a room still sounds of
    batch: int = 64  # clips, each of another track
    other_windows: int = 768  # places of any track, among which each clip's own is to be told
    steps: int = 3_000
    learning_rate: float = 2.5e-3
    weight_decay: float = 1e-2
    warm_up_steps: int = 100
    decay_share: float = 0.4  # of the steps, at the end, over which the rate falls to nothing
    validation_share: float = 0.04  # of the music, in whole groups, that is never learned from
    seed: int = 1

    @property
    def spectrum(self) -> FrontEnd:
        """The front end: that of the peaks beside vectors, if it is to be of use."""
        return converted(FrontEnd, asdict(BESIDE_VECTORS) | self.front_end, "front_end")

    @property
    def clips(self) -> Recipe:
        """The recipe of pairs whose distorted sides, without their margins, are the clips.

        Its frames and margins are those of the vectors beside which the peaks stand; its bands are of no account.
        """
        spectrum = self.spectrum
        shape = {"rate": spectrum.rate, "window": spectrum.window, "hop": spectrum.hop * PEAK_FRAMES,
                 "segment_frames": self.clip_frames // PEAK_FRAMES}  # fmt: skip
        return Recipe(
            name=self.name,
            front_end=shape,
            ranges={"offset_seconds": 0.0} | self.ranges,
            playing=self.playing,
            noises=self.noises,
            rooms=self.rooms,
            history_seconds=self.history_seconds,
            batch=self.batch,
            validation_share=self.validation_share,
            seed=self.seed,
        )

    @property
    def heard_frames(self) -> int:
        """Frames that a clip has, with the silence around it that the first and the last one reach into."""
        return self.spectrum.frames_in(self.clips.log_mel.segment_samples)

    @property
    def digest(self) -> str:
        """Says whether two runs learn alike, apart from how long they go on, and from which sounds and rooms."""
        numbers = msgspec.to_builtins(self) | {"front_end": asdict(self.spectrum)}  # also what is not said of it
        for name in ("name", "steps", "decay_share", "rooms"):
            del numbers[name]
        return hashlib.blake2b(msgspec.json.encode(numbers), digest_size=6).hexdigest()


def read_relief_recipe(source: str | Path) -> ReliefRecipe:
    """Return a recipe by the name of one that comes with earmark, or from a TOML file; raises OptionError."""
    recipe = decoded(source, ReliefRecipe)
    recipe.clips.log_mel, recipe.clips.distortions, recipe.spectrum  # noqa: B018 - to find now what is wrong with them
    moved = {"offset_seconds": recipe.clips.distortions.offset_seconds} | {
        name: getattr(recipe.playing, name) for name in ("speed_share", "cut_share", "alone_share", "masked_share")
    }
    for name, value in moved.items():
        if value:
            raise OptionError(f"{name}={value:g} in {source}; leave it 0: peaks are looked for in their places")
    check_schedule(recipe, source)
    if recipe.clip_frames < STRIDE or recipe.clip_frames % STRIDE:
        raise OptionError(f"clip_frames={recipe.clip_frames} in {source}; give a multiple of {STRIDE}")
    bins = recipe.spectrum.high_bin - recipe.spectrum.low_bin
    if bins < BINS_STRIDE or bins % BINS_STRIDE:
        raise OptionError(f"{bins} bins in [front_end] of {source}; give a multiple of {BINS_STRIDE}")
    if len(recipe.widths) != GRIDS:
        raise OptionError(f"widths={list(recipe.widths)} in {source}; give {GRIDS}, for the fine grid and two coarser")
    return recipe
