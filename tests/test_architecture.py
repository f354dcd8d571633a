"""The rules of docs/architecture.md: who may import whom, what stays light, and that nothing unpickles."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "earmark"

VALUES = {"types", "errors", "plan"}
MAY_IMPORT = {
    "types": set(),
    "errors": set(),
    "plan": set(),
    "sandbox": VALUES,
    "audio": VALUES,
    "distort": VALUES | {"audio"},
    "extract": VALUES | {"sandbox", "audio", "fingerprints"},
    "fingerprints": VALUES | {"audio"},
    "index": VALUES,
    "match": VALUES,
    "catalog": VALUES | {"extract", "sandbox", "fingerprints", "index", "match", "audio"},
    "learn": VALUES | {"audio", "fingerprints", "distort", "sandbox", "datasets"},
    "datasets": VALUES | {"audio", "distort", "sandbox"},
    "evaluation": VALUES | {"earmark", "audio", "datasets", "distort", "fingerprints", "index", "match"},
    "apps": VALUES
    | {"earmark", "catalog", "audio", "fingerprints", "evaluation", "learn", "datasets", "distort", "sandbox"},
}
HEAVY = {"torch", "faiss", "onnxruntime", "av", "numpy", "scipy", "rich", "matplotlib", "sqlite3", "shtab"}
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def rooms() -> list[str]:
    return sorted(
        {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in python_files(SOURCE)} - {"__init__"}
    )


def python_files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


def imported_modules(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute dotted name) of everything a file imports, wherever in it."""
    package = path.relative_to(ROOT / "src").parent.parts if path.is_relative_to(ROOT / "src") else ()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "earmark":
                yield from ((node.lineno, f"earmark.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def room_of(module: str) -> str | None:
    """Return the room of ours that a dotted name lies in; 'earmark' for the public names, None for others' modules."""
    package, _, rest = module.partition(".")
    if package != "earmark":
        return None
    first = rest.split(".")[0]
    return first if first in MAY_IMPORT else "earmark"


@pytest.mark.parametrize("room", rooms())
def test_a_room_imports_only_what_it_may(room):
    files = python_files(SOURCE / room) if (SOURCE / room).is_dir() else iter([SOURCE / f"{room}.py"])
    allowed = MAY_IMPORT[room] | {room}
    offences = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in files
        for line, module in imported_modules(path)
        if (target := room_of(module)) is not None and target not in allowed
    ]
    assert offences == []


@pytest.mark.parametrize(
    "statement",
    ["import earmark", "from earmark.apps.cli import main\nassert main(['--help']) == 0"],
    ids=["import earmark", "earmark --help"],
)
def test_it_loads_nothing_heavy_for(statement):
    program = f"import sys\n{statement}\nprint('loaded', *sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.rpartition("loaded")[2].split()
    assert "earmark" in loaded
    assert HEAVY.intersection(loaded) == set()


def test_the_public_names_are_those_it_says():
    import earmark

    assert list(earmark.__all__) == sorted(earmark.__all__)
    for name in earmark.__all__:
        assert getattr(earmark, name) is not None


def test_nothing_of_ours_can_unpickle():
    offences = []
    for folder in (SOURCE, ROOT / "tests", ROOT / "benchmarks", ROOT / "examples"):
        for path in python_files(folder):
            offences += [
                f"{path.relative_to(ROOT)}:{line} imports {module}"
                for line, module in imported_modules(path)
                if module.split(".")[0] in UNPICKLERS
            ]
            offences += [f"{path.relative_to(ROOT)}:{line} allows pickle" for line in allowing_pickle(path)]
    assert offences == []


def allowing_pickle(path: Path) -> Iterator[int]:
    """Yield the lines that pass allow_pickle as anything but False, or read_pickle and the like."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            if not (isinstance(node.value, ast.Constant) and node.value.value is False):
                yield node.value.lineno
        elif isinstance(node, ast.Attribute) and node.attr in {"read_pickle", "to_pickle"}:
            yield node.lineno
