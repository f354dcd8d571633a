"""Why a clip was found or not, in words."""

from __future__ import annotations

from collections.abc import Iterator

from earmark.apps.text import clock
from earmark.types import Answer, Match

CHANCE_Z = 12.0  # deviations that unrelated music does not reach: match/rivals.py, DECISIVE_Z
NEAR_SHARE = 0.7  # share of the best one's deviations from which another recording comes near
CHANCE_BITS = 0.5  # share of bits that differ between unrelated sounds


def explain(answer: Answer, candidates: Answer) -> Iterator[str]:
    """Yield sentences about an answer; `candidates` is what the same clip gets when nothing has to be sure."""
    if not candidates.matches:
        yield "no recording was named at all: the index holds nothing like it, or there is too little to ask for"
    told = answer.matches or candidates.matches[:1]
    for match in told:
        sure = f"confidence {match.confidence:.4f}, {answer.threshold:.4f} is needed"
        yield f"{_name(match)} at {clock(match.reference_start)}: {sure}"
        yield from (f"  {sentence}" for sentence in _evidence(match))
        if match.copies:
            yield f"  the same sound is in {', '.join(copy.title or copy.path for copy in match.copies)}"
    if not answer.matches:
        yield from (f"not sure enough: {sentence}" for match in told for sentence in _doubts(match))
    named = {(match.track.id, round(match.reference_start)) for match in told}
    beside = next((one for one in candidates.matches if (one.track.id, round(one.reference_start)) not in named), None)
    if beside is not None:
        yield f"next best: {_name(beside)} at {clock(beside.reference_start)}, confidence {beside.confidence:.4f}"


def _evidence(match: Match) -> Iterator[str]:
    known = match.evidence
    yield f"{known.get('seconds', match.query_end - match.query_start):.2f} s of sound was compared"
    if "similarity" in known:
        rival = f"; the next recording {known['rival']:.2f}" if "rival" in known else ""
        yield f"the similarity of its segments is {known['similarity']:.2f} (1 would be the same sound){rival}"
    if "surplus" in known:
        yield f"{known['surplus']:.0f} more peaks than by chance are where the recording has them"
    if "bit_error_rate" in known:
        yield f"{known['bit_error_rate']:.0%} of the bits differ; of unrelated sounds {CHANCE_BITS:.0%} do"
    if "share" in known and "chance" in known:
        yield f"{known['share']:.0%} of the signatures' entries are equal, {known['chance']:.0%} would be by chance"
    if "z" in known:
        rival_z = known.get("rival_z", 0.0)
        yield f"this is {known['z']:.1f} standard deviations beyond chance; the next recording has {rival_z:.1f}"


def _doubts(match: Match) -> Iterator[str]:
    known = match.evidence
    z, rival = known.get("z"), known.get("rival_z", 0.0)
    if z is not None and z < CHANCE_Z:
        yield f"unrelated music reaches {CHANCE_Z:.0f} standard deviations, and this has {z:.1f}"
    if z is not None and rival > NEAR_SHARE * z:
        yield "another recording agrees nearly as well"
    if z is None or (z >= CHANCE_Z and rival <= NEAR_SHARE * z):
        yield "as much agreement occurs between unrelated sounds more often than once in a hundred"


def _name(match: Match) -> str:
    return " - ".join(part for part in (match.track.artist, match.track.title or match.track.path) if part)
