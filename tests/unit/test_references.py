"""What docstrings and pages refer to is there: modules, names in them, files."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "src", *ROOT.glob("libs/*/src"), *ROOT.glob("services/*/src")]
MODULES = {
    ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__"): path
    for source in SOURCES
    for path in source.rglob("*.py")
}
PLACES = ("libs", "services", "src", "tests", "scripts", "deploy", "docs")
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
_ROLE = re.compile(r":(?:mod|class|func|meth|attr|data|exc):`~?([\w.]+)`")
_CODE = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(rf"[\w./-]*\w\.(?:py|sql)|(?:{'|'.join(PLACES)})/[\w./-]*\w")
_DOTTED = re.compile(r"vpin_\w+(?:\.\w+)+")


@cache
def names(module: str) -> frozenset[str]:
    """What a module defines or imports, with ``Class.name`` for what stands in a class or is set on `self` there."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ClassDef):
            inner = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            inner |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
            inner |= {n.name for n in ast.walk(node) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
            found |= {node.name, *(f"{node.name}.{name}" for name in inner)}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name.partition(".")[0])
    return frozenset(found)


def is_there(name: str, module: str) -> bool:
    """A module, or a name in one: in the one that the dotted name begins with, in `module` or in what its package exports."""
    if name.startswith("."):  # in a package's own docstring
        name = f"{module}{name}"
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        if (begin := ".".join(parts[:end])) in MODULES:
            rest = ".".join(parts[end : end + 2])
            return not rest or rest in names(begin)
    return any(".".join(parts[:2]) in names(place) for place in (module, module.partition(".")[0]))


def test_docstrings_refer_to_what_is_there() -> None:
    lost = [
        (module, name)
        for module, path in MODULES.items()
        for name in _ROLE.findall(path.read_text())
        if not is_there(name, module if path.stem == "__init__" or name[0] != "." else module.rpartition(".")[0])
    ]
    assert lost == []


def test_pages_name_files_and_modules_that_are_there() -> None:
    files = {f"/{path.relative_to(ROOT)}" for place in PLACES for path in (ROOT / place).rglob("*")}
    lost = [
        (page.name, word)
        for page in PAGES
        for word in _CODE.findall(page.read_text())
        if (_FILE.fullmatch(word) and not any(file.endswith(f"/{word}") for file in files))
        or (_DOTTED.fullmatch(word) and not is_there(word, ""))
    ]
    assert lost == []
