"""The rules of docs/architecture.md that import-linter does not hold: what stays light, and who knows kinds."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from earmark.fingerprints import FINGERPRINTERS

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "earmark"

HEAVY = {"torch", "faiss", "onnxruntime", "av", "numpy", "scipy", "rich", "matplotlib", "sqlite3", "shtab"}
MOST_HEAD_LINES, MOST_CLASS_LINES = 6, 200  # lines of a module's docstring, and of a class
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


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


def test_no_room_but_fingerprints_names_a_kind_of_fingerprint():
    """Kinds differ by what they state of themselves; whoever asks for one would have to know the next one too."""
    kinds = [*FINGERPRINTERS, *(target.partition(":")[2] for target in FINGERPRINTERS.values())]
    named = re.compile(rf"""\b({"|".join(kinds)})\b""")
    offences = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in python_files(SOURCE)
        if path.relative_to(SOURCE).parts[0] != "fingerprints"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if named.search(line) and not re.search(r"[Nn]eural [nN]etwork|network", line)
    ]
    assert offences == []


def test_every_module_head_is_short_and_no_class_is_long():
    offences = []
    for room in ("match", "catalog", "fingerprints"):
        for path in python_files(SOURCE / room):
            tree = ast.parse(path.read_text())
            head = (ast.get_docstring(tree, clean=False) or "").count("\n") + 1
            if head > MOST_HEAD_LINES:
                offences.append(f"{path.relative_to(ROOT)}: a head of {head} lines")
            offences += [
                f"{path.relative_to(ROOT)}: class {node.name} of {node.end_lineno - node.lineno + 1} lines"
                for node in ast.walk(tree)
                if isinstance(node, ast.ClassDef) and node.end_lineno - node.lineno + 1 > MOST_CLASS_LINES
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


def test_every_type_that_is_read_is_prepared_for_threads():
    """Two threads that read one for the first time would end the process: `earmark/schema.py`."""
    offences = [f"{path.relative_to(ROOT)}:{line}" for path in python_files(SOURCE) for line in unprepared_types(path)]
    assert offences == []


def unprepared_types(path: Path) -> Iterator[int]:
    """Yield the lines of calls that have msgspec read a type as it is."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if not isinstance(node, ast.Call) or not ast.unparse(node.func).startswith("msgspec."):
            continue
        function = ast.unparse(node.func).rpartition(".")[2]
        types = [word.value for word in node.keywords if word.arg == "type"]
        types += node.args[1:2] if function == "convert" else []
        if function in ("decode", "convert"):
            yield from (one.lineno for one in types if not ast.unparse(one).startswith("prepared("))
        elif function == "Decoder" and path.name != "schema.py":
            yield node.lineno
