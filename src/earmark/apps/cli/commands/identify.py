"""`earmark identify`: which known recording a clip comes from, and where in it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.apps.cli.failures import DONE, NOT_FOUND, describe, error_line, status_of
from earmark.apps.cli.options import (
    add_align,
    add_catalog,
    add_longest,
    add_output,
    add_stream,
    catalog_path,
    count,
    output_file,
    probability,
)
from earmark.apps.cli.output import Output
from earmark.apps.cli.pictures import save_picture
from earmark.apps.text import amount, clock, percent, shown_path
from earmark.errors import MediaError, OptionError

if TYPE_CHECKING:
    from earmark import Catalog
    from earmark.catalog.scan import Scan
    from earmark.types import Answer, Explanation, Match

WHOLE_SECONDS = 1.0  # seconds of a clip that may be missing at an end of a match of the whole
SURE_SECONDS = 5  # seconds of a clip from which nearly all are found: README.md, "How well it does"
LONG_SECONDS = 60.0  # seconds from which a file may well hold several recordings
SLIGHT = 0.002  # difference of a factor from 1 that is not worth a word
LONGEST_SECONDS = 10_800  # ExtractLimits.longest_query_seconds, which is not imported for a page of help
LISTS = {"csv": "a table for spreadsheets", "cue": "a cue sheet", "audacity": "labels that Audacity imports"}
REASONS = {
    "silent": "it is silent",
    "too_short": "it is too short",
    "low_information": "there is too little in it to tell recordings apart",
    "unknown": "no known recording",
}
NOT_CALIBRATED = "the confidence was not fitted for such a catalog; `earmark calibrate` fits it"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="audio or video files, or folders with such in them; - reads standard input",
    )
    add_catalog(parser)
    parser.add_argument(
        "--threshold",
        type=probability,
        metavar="P",
        help="the least confidence that counts as found (default: the calibrated one; 0 shows what came near too, "
        "where nothing is certain)",
    )
    parser.add_argument(
        "--limit",
        type=count,
        metavar="N",
        help="at most N matches a file (default: 1; all with --several)",
    )
    parser.add_argument(
        "--several", action="store_true", help="tell recordings that follow one another or sound at once"
    )
    parser.add_argument("--places", action="store_true", help="tell every place of a recording that fits")
    parser.add_argument(
        "--speed", action="store_true",
        help="look for other playing speeds too (slower): for any, where the catalog was made with --any-speed",
    )  # fmt: skip
    add_align(parser)
    parser.add_argument(
        "--explain", action="store_true", help="say why each was found or what stopped it, and what came next"
    )
    parser.add_argument(
        "--plot",
        type=output_file,
        metavar="PICTURE",
        help="draw what spoke for it, moment by moment, and the runner-up (one file)",
    )
    add_stream(parser)
    add_longest(parser, LONGEST_SECONDS)
    add_output(parser)
    lists = parser.add_mutually_exclusive_group()
    for name, what in LISTS.items():
        lists.add_argument(
            f"--{name}", dest="list", action="store_const", const=name, help=f"print {what} (implies --several)"
        )


def run(options: argparse.Namespace) -> int:
    """Print what each file is; a file that cannot be read does not stop the others."""
    import earmark
    from earmark.types import Explanation

    output = Output.of(options)
    if options.list and (options.json or options.quiet):
        raise OptionError(
            f"--{options.list} and --{'json' if options.json else 'quiet'} exclude each other: choose one"
        )
    check_explained(options)
    options.several |= bool(options.list)
    found, failed, unreadable, is_first, advice = 0, 0, DONE, True, dict[str, None]()
    limits = earmark.ExtractLimits(longest_query_seconds=options.longest or LONGEST_SECONDS, stream=options.stream)
    clips = clips_of(options.files)
    with earmark.open(catalog_path(options), create=False, read_only=True, limits=limits) as catalog:
        ask = explanations if options.explain else answers
        for name, said in chain(clips.failed, ask(catalog, clips.files, options)):
            if isinstance(said, MediaError):
                if clips.is_beside(name, said):
                    clips.skipped.append((name, said.reason))
                    continue
                failed, unreadable = failed + 1, status_of(said)
                error_line(f"{shown_path(name)}: {describe(said)}")
                output.record(failure_record(name, said))
                continue
            answer, reasons = (said.answer, reasons_of(said)) if isinstance(said, Explanation) else (said, [])
            if options.list:
                from earmark.apps.cli.tracklist import FORMATS

                sys.stdout.write(FORMATS[options.list](name, answer, heading=is_first))
            else:
                show(output, name, answer, several=options.several, reasons=reasons)
            if options.plot and isinstance(said, Explanation):
                draw(output, name, said, reasons, options.plot)
            found += bool(answer.matches)
            advice |= dict.fromkeys(advice_on(answer, options))
            is_first = False
            sys.stdout.flush()
    if output.text and output.interactive:
        output.remarks([f"earmark: {one}" for one in advice])
    if clips.scan is not None:
        conclude(output, clips, found=found, failed=failed)
    return unreadable or (DONE if found else NOT_FOUND)


def advice_on(answer: Answer, options: argparse.Namespace) -> Iterator[str]:
    """Yield what somebody who watches may want to try next."""
    if answer.reason == "unknown" and not options.explain:
        longer = f"; clips of {SURE_SECONDS} s and more are found more often" if answer.seconds < SURE_SECONDS else ""
        yield f"`--explain` says what came nearest{longer}"
    is_long = answer.seconds >= LONG_SECONDS and not options.several
    if is_long and answer.matches and part_of_clip(answer.matches[0], answer.seconds):
        yield "`--several` names all that a long file holds"


def conclude(output: Output, clips: Clips, *, found: int, failed: int) -> None:
    """Say of folders how many of their clips were found, and what was passed over."""
    if output.verbose:
        output.remarks([f"passed over: {shown_path(name)}: {reason}" for name, reason in clips.skipped])
    passed_over = {name for name, _ in clips.skipped}
    asked = sum(name not in passed_over for name in clips.files) + len(clips.failed)
    parts = [f"{found:,} of {amount(asked, 'clip')} found"]
    parts += [f"{failed:,} could not be read"] if failed else []
    if clips.skipped:
        parts.append(f"{amount(len(clips.skipped), 'file')} without audio passed over")
        parts[-1] += "" if output.verbose else " (--verbose lists them)"
    output.remark(f"earmark: {', '.join(parts)}")


@dataclass(frozen=True, slots=True)
class Clips:
    """Names of clips: those that were given, and those in folders that were."""

    files: tuple[str, ...]
    scan: Scan | None  # files found in the folders that were given
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (path, reason) of what lies there and is no clip
    failed: tuple[tuple[str, MediaError], ...] = ()  # what could not even be opened

    def is_beside(self, name: str, error: MediaError) -> bool:
        """Return whether a file only lies in a folder of clips, and is none."""
        from earmark.catalog.ingest import NO_AUDIO

        if self.scan is None or name not in self.scan.files:
            return False
        return error.code in NO_AUDIO and not self.scan.expects_sound(name)


def clips_of(names: Sequence[str]) -> Clips:
    """Return all clips that are meant; raises OptionError for a folder that has none."""
    if not any(Path(name).is_dir() for name in names):
        return Clips(tuple(names), None)
    from earmark.catalog.scan import Scan, scan

    files, skipped, failed = list[str](), list[tuple[str, str]](), list[tuple[str, MediaError]]()
    for name in names:
        found = scan(name) if Path(name).is_dir() else Scan((name,), ())
        if not found.files:
            raise MediaError("no_audio", "it is a folder without audio files; name another", source=name)
        files += found.files
        skipped += found.skipped
        reasons = ((path, reason.partition(": ")) for path, reason in found.failed)
        failed += [(path, MediaError(code, detail)) for path, (code, _, detail) in reasons]
    given = tuple(name for name in names if not Path(name).is_dir())
    return Clips(tuple(files), Scan(tuple(files), (), given=given), skipped, tuple(failed))


def answers(
    catalog: Catalog, names: Sequence[str], options: argparse.Namespace
) -> Iterator[tuple[str, Answer | MediaError]]:
    """Yield (name, what the catalog says of it, or why it cannot be read), in the order given."""
    limit = options.limit or (None if options.several else 1)
    sources = [sys.stdin.buffer if name == "-" else name for name in names]
    found = catalog.identify_many(
        sources,
        threshold=options.threshold,
        limit=limit,
        several=options.several,
        places=options.places,
        speed=options.speed,
        align=options.align,
    )
    for name, answer in zip(names, found, strict=True):
        is_unread = answer.reason in MediaError.CODES and answer.reason not in REASONS
        yield name, MediaError(answer.reason, answer.detail) if is_unread else answer


def explanations(
    catalog: Catalog, names: Sequence[str], options: argparse.Namespace
) -> Iterator[tuple[str, Explanation | MediaError]]:
    """Yield (name, what the catalog says of it and why, or why it cannot be read), in the order given."""
    limit = options.limit or (None if options.several else 1)
    for name in names:
        try:
            yield name, catalog.explain(
                sys.stdin.buffer if name == "-" else name, threshold=options.threshold, limit=limit,
                several=options.several, places=options.places, speed=options.speed, align=options.align,
            )  # fmt: skip
        except MediaError as error:
            yield name, error


def check_explained(options: argparse.Namespace) -> None:
    """Have --plot explain; raises OptionError where there is nothing to draw, or too much."""
    if options.plot is None:
        return
    if len(options.files) > 1:
        raise OptionError(f"--plot draws one file, and {len(options.files)} are given: ask for each by itself")
    from earmark.apps.plot import figures

    figures.check(options.plot)
    options.explain = True


def draw(output: Output, name: str, said: Explanation, reasons: Sequence[str], target: str) -> None:
    """Write the picture of an answer."""
    from earmark.apps.plot.evidence import draw_explanation

    save_picture(output, draw_explanation(name, said, reasons), target)
    output.remark(f"drew {target}")


def reasons_of(said: Explanation) -> list[str]:
    """Return sentences that say why a clip was found or not."""
    from earmark.apps.cli.explanation import explain

    if said.answer.reason in REASONS and said.answer.reason != "unknown":
        return [REASONS[said.answer.reason]]
    return list(explain(said.answer, said.candidates))


def failure_record(name: str, error: MediaError) -> dict[str, Any]:
    """Return the object that stands for a file without an answer."""
    return {"query": {"source": name}, "error": {"code": error.code, "message": error.detail}}


def show(output: Output, name: str, answer: Answer, *, several: bool = False, reasons: Sequence[str] = ()) -> None:
    """Print one answer."""
    if answer.degraded:
        output.remark(f"earmark: {name}: part of the catalog is damaged and was not searched; run `earmark verify`")
    if output.json:
        from earmark.apps.records import answer_record

        explained = {"explanation": list(reasons)} if reasons else {}
        output.record({**answer_record(answer), **explained})
        return
    name = shown_path(name)
    if not answer.complete:
        output.remark(f"earmark: {name}: it broke off or has damaged parts; {clock(answer.seconds)} of it were read")
    if not answer.matches:
        output.line(f"{name}: not found: {REASONS.get(answer.reason, answer.reason)}")
    for match in answer.matches:
        when = f"{clock(match.query_start)} to {clock(match.query_end)}: " if several else ""
        where = "" if several else part_of_clip(match, answer.seconds)
        output.line(f"{name}: {when}{sentence(match)}{where}{copies(match)}")
        if output.verbose:
            figures = ", ".join(f"{key} {value:.4g}" for key, value in match.evidence.items())
            output.line(f"    id {match.track.id}, file {shown_path(match.track.path)}")
            output.line(f"    clip {clock(match.query_start)} to {clock(match.query_end)}")
            factors = f"speed {number(match.speed)}, pitch {number(match.pitch)}"
            output.line(f"    {factors}, ± {1000 * match.position_error:.1f} ms; {figures}")
    for reason in reasons:
        output.line(f"    {reason}")
    if output.verbose:
        output.line(f"    clip of {answer.seconds:.2f} s, {answer.elapsed:.3f} s to answer")
        if answer.expected_false_rate is not None:
            output.line(f"    {false_rate_sentence(answer.expected_false_rate)}")
        if not answer.calibrated:
            output.line(f"    {NOT_CALIBRATED}")


def false_rate_sentence(rate: float) -> str:
    """Return how often an unknown clip is given a name, at most."""
    return f"of unknown clips of this length at most {percent(rate)} are given a name at this threshold"


def copies(match: Match) -> str:
    """Return '; also in 2 others' where other tracks hold the same sound."""
    count = len(match.copies)
    return f"; also in {count} other{'s' if count > 1 else ''}" if count else ""


def sentence(match: Match) -> str:
    """Return 'Artist - Title, 0:41.20 to 0:46.20, confidence 0.998'."""
    track = match.track
    title = " - ".join(part for part in (track.artist, track.title or shown_path(track.path)) if part)
    chapter = track.chapter_at((match.reference_start + match.reference_end) / 2)
    inside = ""
    if chapter is not None:
        whole = track.title or shown_path(track.path)
        title = " - ".join(part for part in (chapter.artist or track.artist, chapter.title) if part)
        inside = f" of {whole}"
    span = f"{clock(match.reference_start)} to {clock(match.reference_end)}{inside}"
    return f"{title}, {span}{playing(match)}, confidence {match.confidence:.3f}"


def part_of_clip(match: Match, seconds: float) -> str:
    """Return ', heard at 0:03.00 to 0:09.00' where the match is not the whole of the clip."""
    if match.query_start < WHOLE_SECONDS and match.query_end > seconds - WHOLE_SECONDS:
        return ""
    return f", heard at {clock(match.query_start)} to {clock(match.query_end)}"


def playing(match: Match) -> str:
    """Return ', at 1.080 of its speed and 1.000 of its pitch', of each what is sure and another; '' for neither."""
    speed, pitch = match.speed or 1.0, match.pitch or 1.0
    is_played = match.speed is not None and abs(speed - 1) > SLIGHT
    is_shifted = match.pitch is not None and abs(pitch / speed - 1) > SLIGHT
    told = [f"{speed:.3f} of its speed"] if is_played or (is_shifted and match.speed is not None) else []
    told += [f"{pitch:.3f} of its pitch"] if is_shifted else []
    return f", at {' and '.join(told)}" if told else ""


def number(factor: float | None) -> str:
    """Return '1.0200', or 'unknown'."""
    return "unknown" if factor is None else f"{factor:.4f}"
