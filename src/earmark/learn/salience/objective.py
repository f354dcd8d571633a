"""The loss of a relief: each clip's own place is to be told from others by the relief under their peaks.

That is what the relief is for, and how `match.align` uses it: the sum over a place's peaks, each column (a frequency)
compared with its own mean and spread, so that a held tone says nothing. Cross entropy over the sums of some hundred
places teaches which peaks tell places apart. Binary cross entropy of every place of the spectrogram, peak or none,
teaches more evenly, and much more of it in the beginning.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from earmark.learn.salience.references import NOTHING

FIRST_SCALE, FIRST_OFFSET = 0.8, 4.0  # near where they end
SCALES = (0.2, 3.0)
EVERY_PLACE = 20.0  # the binary cross entropy's weight: means of 0.014 and of 0.3 then count alike
LEAST_VARIANCE = 4.0  # of a sum, (2 nepers) ** 2: a few peaks in empty columns are no certainty
HOPELESS = -20.0  # the score of a place that is not asked for
SPARE = 8  # columns for what is no peak; eight keep rows aligned, and their product fast


class Objective(nn.Module):
    """Scores and loss, with the two numbers that they learn: the offset of the relief, the scale of the scores."""

    def __init__(self, frames: int) -> None:
        """`frames` is how many of a clip were heard: those behind only fill the network's stride."""
        super().__init__()
        self._frames = frames
        self.scale = nn.Parameter(torch.tensor(FIRST_SCALE))
        self.offset = nn.Parameter(torch.tensor(FIRST_OFFSET))

    def forward(self, logits: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return (the loss, the share of clips whose own window scores highest).

        `logits`, (b, frames, bins); `windows`, (m, k) cells as in `Clips`.
        """
        clips = torch.arange(len(logits), device=logits.device)
        logits, windows = logits.float(), windows.long()
        peaks = marked(windows, logits[0].numel())
        scores = self._scores(logits, windows, peaks)
        scores = scores.index_put((clips, clips + len(clips)), scores.new_tensor(HOPELESS))  # music repeats itself
        telling = functional.cross_entropy(scores * self.scale.clamp(*SCALES), clips)
        own = peaks[: len(clips)].float().reshape(logits.shape)
        every = functional.binary_cross_entropy_with_logits(logits, own)
        return telling + EVERY_PLACE * every, (scores.argmax(dim=1) == clips).float().mean()

    def _scores(self, logits: Tensor, windows: Tensor, peaks: Tensor) -> Tensor:
        """Return the score of each clip at each window, (b, m): near a normal deviate where it is the wrong place."""
        relief = functional.softplus(logits + self.offset)
        spread = relief + _shifted(relief, 1) + _shifted(relief, -1)  # a peak may be a frame off
        heard = spread[:, : self._frames]
        above = (spread - heard.mean(dim=1, keepdim=True)).flatten(1)
        with torch.autocast(logits.device.type, dtype=torch.bfloat16):
            sums = above @ peaks.T
        variances = heard.var(dim=1) @ counted(windows, logits.shape[2]).T
        return sums.float() / torch.sqrt(variances + LEAST_VARIANCE)


def _shifted(relief: Tensor, frames: int) -> Tensor:
    """Return the relief one frame later or earlier; beyond the edge it goes on as it is there."""
    if frames > 0:
        return torch.cat([relief[:, :1], relief[:, :-1]], dim=1)
    return torch.cat([relief[:, 1:], relief[:, -1:]], dim=1)


def marked(windows: Tensor, places: int) -> Tensor:
    """Return windows as 1 at each peak and else 0, (m, places), in bfloat16."""
    empty = windows == NOTHING
    marks = torch.zeros(len(windows), places + SPARE, dtype=torch.bfloat16, device=windows.device)
    return marks.scatter_(1, windows.masked_fill(empty, places), 1.0)[:, :places]


def counted(windows: Tensor, bins: int) -> Tensor:
    """Return how many peaks of each window lie in each column, (m, bins)."""
    empty = windows == NOTHING
    counts = torch.zeros(len(windows), bins + 1, device=windows.device)
    columns = (windows % bins).masked_fill(empty, bins)
    return counts.scatter_add_(1, columns, torch.ones_like(columns, dtype=counts.dtype))[:, :bins]
