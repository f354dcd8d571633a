"""The loss of a salience map: each clip's own window of peaks must score higher than others.

A score is the map's sum over a window's peaks, each column (a frequency) relative to its own mean and deviation, as in
matching. The loss is the cross entropy of the scores plus the binary cross entropy of every cell, peak or none.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from earmark.learn.salience.references import NOTHING

FIRST_SCALE, FIRST_OFFSET = 0.8, 4.0  # start values, near the final ones
SCALES = (0.2, 3.0)  # range of the scale
CELL_WEIGHT = 20.0  # weight of the binary cross entropy: its mean of 0.014 then counts as much as the other's 0.3
LEAST_VARIANCE = 4.0  # nepers squared, added to a sum's: a few peaks in empty columns must not be certain
EXCLUDED_SCORE = -20.0  # score of windows left out of the loss
SPARE = 8  # columns for `NOTHING`; eight keep rows aligned and their product fast


class SalienceObjective(nn.Module):
    """Scores and loss, with the two numbers that they learn: the map's offset and the scale of the scores."""

    def __init__(self, frames: int) -> None:
        """`frames` is how many frames of a clip have sound; those behind them fill the network's stride."""
        super().__init__()
        self._frames = frames
        self.scale = nn.Parameter(torch.tensor(FIRST_SCALE))
        self.offset = nn.Parameter(torch.tensor(FIRST_OFFSET))

    def forward(self, logits: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return (loss, share of clips whose own window scores highest).

        `logits`, (b, frames, bins); `windows`, (m, k) cells as in `Clips`.
        """
        clips = torch.arange(len(logits), device=logits.device)
        logits, windows = logits.float(), windows.long()
        peaks = marked(windows, logits[0].numel())
        scores = self._scores(logits, windows, peaks)
        elsewhere = clips, clips + len(clips)  # other windows of the same tracks: music repeats itself
        scores = scores.index_put(elsewhere, scores.new_tensor(EXCLUDED_SCORE))
        between = functional.cross_entropy(scores * self.scale.clamp(*SCALES), clips)
        own = peaks[: len(clips)].float().reshape(logits.shape)
        cells = functional.binary_cross_entropy_with_logits(logits, own)
        return between + CELL_WEIGHT * cells, (scores.argmax(dim=1) == clips).float().mean()

    def _scores(self, logits: Tensor, windows: Tensor, peaks: Tensor) -> Tensor:
        """Return the score of each clip at each window, (b, m), about a normal deviate for a wrong window."""
        salience = functional.softplus(logits + self.offset)
        spread = salience + _shifted(salience, 1) + _shifted(salience, -1)  # a peak may be a frame off
        sounding = spread[:, : self._frames]
        above = (spread - sounding.mean(dim=1, keepdim=True)).flatten(1)
        with torch.autocast(logits.device.type, dtype=torch.bfloat16):
            sums = above @ peaks.T
        variances = sounding.var(dim=1) @ counted(windows, logits.shape[2]).T
        return sums.float() / torch.sqrt(variances + LEAST_VARIANCE)


def _shifted(salience: Tensor, frames: int) -> Tensor:
    """Return a map one frame later (1) or earlier (-1), its edge frame repeated."""
    if frames > 0:
        return torch.cat([salience[:, :1], salience[:, :-1]], dim=1)
    return torch.cat([salience[:, 1:], salience[:, -1:]], dim=1)


def marked(windows: Tensor, places: int) -> Tensor:
    """Return windows, (m, k), as 1 at each peak and 0 elsewhere, (m, places), in bfloat16."""
    empty = windows == NOTHING
    marks = torch.zeros(len(windows), places + SPARE, dtype=torch.bfloat16, device=windows.device)
    return marks.scatter_(1, windows.masked_fill(empty, places), 1.0)[:, :places]


def counted(windows: Tensor, bins: int) -> Tensor:
    """Return the number of peaks of each window in each column, (m, bins)."""
    empty = windows == NOTHING
    counts = torch.zeros(len(windows), bins + 1, device=windows.device)
    columns = (windows % bins).masked_fill(empty, bins)
    return counts.scatter_add_(1, columns, torch.ones_like(columns, dtype=counts.dtype))[:, :bins]
