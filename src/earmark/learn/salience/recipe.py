"""The recipe of a salience network: every number of a run, read from TOML (`task = "salience"`)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import msgspec

from earmark.audio.stft import FrontEnd
from earmark.errors import OptionError
from earmark.fingerprints.landmarks import CompanionShape
from earmark.fingerprints.salience import STRIDE
from earmark.learn.recipe import FingerprintRecipe, Recipe, check_schedule, converted, decoded

GRIDS = 3  # grids of the network: fine, middle, coarse
BINS_STRIDE = 16  # bins that one place of the coarsest grid covers
COMPANION_FRONT_END = FrontEnd(rate=8_000, window=1_024, hop=125, low_bin=4, high_bin=500)  # the default model's peaks
SAME_LEARNING = (
    "front_end", "clip_frames", "widths", "ranges", "playing", "noises", "history_seconds", "batch", "other_windows",
    "learning_rate", "weight_decay", "warm_up_steps", "validation_share", "seed",
)  # fmt: skip  # numbers that a digest covers, in the order in which the digests of all checkpoints have them


class SalienceRecipe(Recipe, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run that learns a clip's salience map from its spectrogram."""

    task: Literal["salience"] = "salience"
    clip_frames: int = 64  # length of a clip in hops
    widths: tuple[int, ...] = (16, 32, 48)  # channels on the network's fine, middle and coarse grid
    other_windows: int = 768  # places of any track, against which each clip's own place is scored
    batch: int = 64  # clips
    steps: int = 3_000
    learning_rate: float = 2.5e-3
    warm_up_steps: int = 100
    decay_share: float = 0.4

    @property
    def spectrum(self) -> FrontEnd:
        """The front end: that of the default model's peaks, but for what `front_end` changes."""
        return converted(FrontEnd, asdict(COMPANION_FRONT_END) | self.front_end, "front_end")

    @property
    def rate(self) -> int:
        """Sample rate in Hz."""
        return self.spectrum.rate

    @property
    def clips(self) -> FingerprintRecipe:
        """The recipe of pairs whose distorted sides, without their margins, are the clips.

        Frames and margins are those of the vectors that the peaks are kept with; bands are not used.
        """
        spectrum = self.spectrum
        shape = {"rate": spectrum.rate, "window": spectrum.window, "hop": spectrum.hop * CompanionShape().frames,
                 "segment_frames": self.clip_frames // CompanionShape().frames}  # fmt: skip
        return FingerprintRecipe(
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
        """Frames of a clip, with the silence around it that the first and the last one reach into."""
        return self.spectrum.frames_in(self.clips.log_mel.segment_samples)

    def same_learning(self) -> dict[str, Any]:
        """Return the numbers that a digest covers; `learns` is what `task` was called first."""
        numbers = msgspec.to_builtins(self) | {"front_end": asdict(self.spectrum)}  # defaults included
        return {"learns": "relief"} | {name: numbers[name] for name in SAME_LEARNING}


def read_salience_recipe(source: str | Path) -> SalienceRecipe:
    """Return a recipe by the name of one that comes with earmark, or from a TOML file; raises OptionError."""
    recipe = decoded(source, SalienceRecipe)
    spectrum, distortions = recipe.spectrum, recipe.clips.distortions
    recipe.clips.check_tables()
    moved = {"offset_seconds": distortions.offset_seconds} | {
        name: getattr(recipe.playing, name) for name in ("speed_share", "cut_share", "alone_share", "masked_share")
    }
    for name, value in moved.items():
        if value:
            raise OptionError(f"{name}={value:g} in {source}; leave it 0: peaks are looked for in their places")
    check_schedule(recipe, source)
    if recipe.clip_frames < STRIDE or recipe.clip_frames % STRIDE:
        raise OptionError(f"clip_frames={recipe.clip_frames} in {source}; give a multiple of {STRIDE}")
    bins = spectrum.high_bin - spectrum.low_bin
    if bins < BINS_STRIDE or bins % BINS_STRIDE:
        raise OptionError(f"{bins} bins in [front_end] of {source}; give a multiple of {BINS_STRIDE}")
    if len(recipe.widths) != GRIDS:
        raise OptionError(f"widths={list(recipe.widths)} in {source}; give {GRIDS}, for the fine grid and two coarser")
    return recipe
