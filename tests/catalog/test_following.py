"""A reader follows a writer in another process, and a long question keeps the index it began with."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import earmark
from earmark.match.matcher import Matcher
from earmark.match.protocol import Search
from earmark.types import Fingerprint

WRITER = """
import sys
import earmark
from earmark.match.matcher import Matcher
from earmark.match.protocol import Search
from earmark.types import Fingerprint
with earmark.open(sys.argv[1]) as catalog:
    exec(sys.argv[2])
"""

Cut = Callable[[Path], tuple[np.ndarray, int]]


def in_another_process(folder: Path, statement: str) -> None:
    """Change a catalog; the process has ended when this returns."""
    subprocess.run([sys.executable, "-c", WRITER, folder, statement], check=True, timeout=120)


def titles(reader: earmark.Catalog, clips: Sequence[tuple[np.ndarray, int]]) -> list[str | None]:
    answers = [reader.identify(clip) for clip in clips]
    return [answer.best and answer.best.track.title for answer in answers]


@pytest.fixture
def reader(folder: Path) -> Iterator[earmark.Catalog]:
    with earmark.open(folder, read_only=True) as reader:
        yield reader


def test_what_another_process_adds_and_removes_is_noticed_by_the_next_question(
    folder: Path, reader: earmark.Catalog, pieces: Sequence[Path], clip: Cut
) -> None:
    clips, names = [clip(path) for path in pieces[:3]], [path.stem for path in pieces[:3]]
    assert titles(reader, clips) == [*names[:2], None]
    in_another_process(folder, f"catalog.add({str(pieces[2])!r}, workers=1)")
    assert titles(reader, clips) == names
    in_another_process(folder, f"catalog.remove(catalog.find({names[0]!r})[0].id)")
    assert titles(reader, clips) == [None, *names[1:]]
    assert not reader.refresh()


def test_what_is_committed_and_not_published_is_found(
    folder: Path, reader: earmark.Catalog, pieces: Sequence[Path], clip: Cut
) -> None:
    before = (folder / "CURRENT").read_text()
    statement = f"catalog.add({str(pieces[2])!r}, workers=1, progress=lambda _: __import__('os')._exit(0))"
    in_another_process(folder, statement)
    assert (folder / "CURRENT").read_text() == before
    assert titles(reader, [clip(pieces[2])]) == [pieces[2].stem]
    assert reader.info()["unpublished_tracks"] == 1


def test_a_file_whose_content_has_changed_is_found_by_its_new_sound_alone(
    folder: Path, reader: earmark.Catalog, pieces: Sequence[Path], clip: Cut, tmp_path: Path
) -> None:
    path = tmp_path / "changing.wav"
    for place, other in ((3, 4), (4, 3)):
        samples, rate = soundfile.read(pieces[place])
        soundfile.write(path, samples, rate, subtype="PCM_16")
        in_another_process(folder, f"catalog.add({str(path)!r}, workers=1)")
        assert titles(reader, [clip(pieces[place]), clip(pieces[other])]) == ["changing", None]


def test_a_reader_that_lives_long_maps_what_is_published_and_does_not_grow(
    folder: Path, reader: earmark.Catalog, pieces: Sequence[Path]
) -> None:
    for path in pieces[2:5]:
        in_another_process(folder, f"catalog.add({str(path)!r}, workers=1)")
        assert reader.refresh()
        assert reader.info()["unpublished_tracks"] == 0
    search: Any = reader._index.snapshot()
    for segment in search.snapshots["landmarks"].segments:
        assert not segment.places.flags.owndata
        assert not segment.places.flags.writeable


def test_an_index_of_another_kind_is_taken_over(catalog_folder: Path, pieces: Sequence[Path], clip: Cut) -> None:
    with earmark.open(catalog_folder, read_only=True) as reader:
        in_another_process(catalog_folder, "catalog.rebuild('linear')")
        assert titles(reader, [clip(pieces[1])]) == [pieces[1].stem]
        assert reader.info()["index"] == "linear"
        assert reader.info()["problems"] == ()


def test_what_is_renamed_elsewhere_has_its_new_name(
    folder: Path, reader: earmark.Catalog, pieces: Sequence[Path], clip: Cut
) -> None:
    assert titles(reader, [clip(pieces[0])]) == [pieces[0].stem]
    in_another_process(folder, f"catalog.update(catalog.find({pieces[0].stem!r})[0].id, title='Other')")
    assert titles(reader, [clip(pieces[0])]) == ["Other"]


def test_a_question_that_takes_long_stops_neither_an_add_nor_other_questions(
    folder: Path, pieces: Sequence[Path], clip: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    with earmark.open(folder) as catalog:
        begun, go_on, answers = threading.Event(), threading.Event(), list[earmark.Answer]()
        match = Matcher.match

        def slowly(matcher: Matcher, window: Fingerprint, search: Search, *arguments: Any, **options: Any) -> Any:
            if threading.current_thread() is thread:  # it has its snapshot already
                begun.set()
                assert go_on.wait(60)
            return match(matcher, window, search, *arguments, **options)

        monkeypatch.setattr(Matcher, "match", slowly)
        thread = threading.Thread(target=lambda: answers.append(catalog.identify(clip(pieces[0]))))
        thread.start()
        assert begun.wait(60)
        catalog.add(pieces[2], workers=1)
        catalog.remove(catalog.find(pieces[1].stem)[0].id)
        assert titles(catalog, [clip(path) for path in pieces[:3]]) == [pieces[0].stem, None, pieces[2].stem]
        go_on.set()
        thread.join(60)
        assert answers[0].best is not None
        assert answers[0].best.track.title == pieces[0].stem
