"""README and docs: what they name is there, and what they show runs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from earmark.apps.cli.overview import COMMANDS
from earmark.audio.decode import load
from earmark.evaluation import comparison
from earmark.fingerprints import SHOWN

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "earmark"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"`([\w.*-]+(?:/[\w.*-]*)*)(?::\w+)?`")  # a path, and perhaps the name of something in the file
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
ROOMS = {path.name for folder in (ROOT, SOURCE) for path in folder.iterdir() if path.is_dir()}


def is_path(text: str) -> bool:
    """Return whether text in back quotes names a part of the project: a module, or what lies in a room."""
    return text.endswith(".py") or ("/" in text and text.partition("/")[0] in ROOMS)


def is_there(text: str) -> bool:
    """Return whether a path exists from the root or the package on, a bare module's name anywhere in the package."""
    name = text.rstrip("/")
    places = [place for folder in (ROOT, SOURCE) for place in folder.glob(name)]
    return bool(places) or ("/" not in name and any(SOURCE.rglob(name)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_and_folder_that_a_page_names_exists(page: Path) -> None:
    named = {text for text in CODE.findall(page.read_text()) if is_path(text)}
    assert {text for text in named if not is_there(text)} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = set(LINK.findall(page.read_text()))
    assert {link for link in links if not (page.parent / link).exists()} == set()


def test_every_command_has_a_part_of_the_page_about_the_command_line() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    assert [name for name in COMMANDS if f"\n## {name}\n" not in page] == []


def test_the_examples_of_the_readme_run(
    music: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "albums").mkdir()
    for path, name in ((music[0], "albums/a.opus"), (music[1], "one.flac"), (music[1], "clip.wav")):
        shutil.copy(path, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    samples, _ = load(music[1], rate=48_000)
    names = {"blocks": [samples[start : start + 4_096] for start in range(0, len(samples), 4_096)]}
    for example in EXAMPLE.findall((ROOT / "README.md").read_text()):
        exec(example, names)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Angus' Background Music 0.0")
    assert second.startswith("Angus' Background Music after ")


def test_the_table_of_all_fingerprinters_has_the_figures_that_were_measured() -> None:
    measured = json.loads((ROOT / "docs" / "evaluation" / "fingerprints.json").read_text())
    page = (ROOT / "docs" / "fingerprints.md").read_text()
    rows = [comparison.summary_cells(comparison.Summary(**one)) for one in measured["summary"]]
    assert {name for name, *_ in rows} == set(SHOWN)
    assert [row for row in rows if f"| {' | '.join(row)} |" not in page] == []
