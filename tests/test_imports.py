"""Which part of the package may import which, and what the base install is enough for."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "lstm_export"

# part: (what it may import, what it may import besides inside a function, when it is used)
# Imports for type checkers alone do not count: they never run.
ALLOWED = {
    "errors": ("", ""),
    "frozen": ("", ""),
    "decode": ("errors", ""),
    "files": ("errors", ""),
    "contract": ("errors decode frozen", ""),
    "data": ("errors contract files", ""),
    "oracle": ("errors contract", ""),
    "compare": ("errors contract", ""),
    "bundle": ("errors contract decode files frozen", ""),
    "checkpoint": ("errors contract decode files", ""),
    "nn": ("errors contract data oracle checkpoint", ""),
    "training": ("errors contract decode files data checkpoint nn", ""),
    "exporting": ("errors contract files oracle compare bundle checkpoint nn", ""),
    "importing": ("errors contract files oracle compare", "bundle nn exporting"),
    "bundling": ("errors bundle exporting files", "importing"),
    "runtime": ("errors contract data bundle frozen", ""),
    "parity": ("errors contract files oracle compare bundle checkpoint runtime", "nn"),
    "explain": ("errors contract data oracle compare bundle runtime", ""),
    "bench": ("errors contract files bundle checkpoint runtime", "nn exporting"),
    "report": ("errors contract files data compare bundle checkpoint explain", "runtime"),
    "inspection": ("errors contract bundle checkpoint", ""),
    "doctor": ("errors contract decode files compare bundle", "exporting importing"),
    "demo": ("errors files report", "bundling data training parity bench"),
    "cells": ("errors contract files data checkpoint nn training", "bundle bundling bench runtime"),
    "cli": (
        "errors contract",
        "files data checkpoint training exporting importing bundling runtime parity report "
        "inspection doctor demo bench explain cells",
    ),
}
HEAVY = (
    *("torch", "onnx", "onnx_ir", "onnxscript", "lightning_fabric", "safetensors", "tomli_w"),
    *("polars", "pandas", "scipy", "sklearn", "matplotlib", "jinja2"),
)
BASE = (
    *("data", "oracle", "compare", "bundle", "runtime", "parity", "explain", "bench", "doctor"),
    "cli",
)
NUMPY_ONLY = ("data", "oracle", "compare", "bundle")


def imports(tree: ast.AST, *, late: bool = False) -> Iterator[tuple[int, str, bool]]:
    """Line, part of lstm_export, and whether the import waits for a function to be called."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from imports(ast.Module([other], []), late=late)
            continue
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        for module in modules:
            package, _, rest = module.partition(".")
            if package == "lstm_export":
                yield node.lineno, rest.partition(".")[0], late
        inner = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports(node, late=inner)


def is_part(package: Path, name: str) -> bool:
    """Whether `name` is a module of the package, and not one of its own lazy names."""
    return bool(name) and ((package / name).is_dir() or (package / f"{name}.py").is_file())


def violations(package: Path) -> list[str]:
    """Every import that the table does not allow, and every part that it does not know."""
    found = []
    for path in sorted(package.rglob("*.py")):
        part = path.relative_to(package).parts[0].removesuffix(".py")
        if part in ("__init__", "__main__"):
            continue
        where = path.relative_to(package.parent)
        if part not in ALLOWED:
            found.append(f"{where}: {part} has no row in the table")
            continue
        always, when_used = (set(names.split()) for names in ALLOWED[part])
        for line, target, late in imports(ast.parse(path.read_text(encoding="utf-8"))):
            own = target == part or not is_part(package, target)
            if not own and target not in (always | when_used if late else always):
                found.append(f"{where}:{line}: {part} imports {target}" + " late" * late)
    return found


def test_parts_import_only_what_lies_below_them() -> None:
    assert violations(PACKAGE) == []


def test_every_row_of_the_table_is_a_part_and_the_table_has_no_circle() -> None:
    below: set[str] = set()
    for part, (always, _) in ALLOWED.items():
        assert is_part(PACKAGE, part), part
        assert set(always.split()) <= below, f"{part} stands above what it may import"
        below.add(part)


def test_every_violation_is_listed(tmp_path: Path) -> None:
    package = tmp_path / "lstm_export"
    for part in ("runtime", "nn", "parity", "training", "novelty"):
        (package / part).mkdir(parents=True)
    (package / "novelty" / "x.py").write_text("")
    (package / "runtime" / "x.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "from lstm_export.nn import build\n"
        "if TYPE_CHECKING:\n    import lstm_export.training.loop\n"
        "def f():\n    from lstm_export import training, __version__\n"
    )
    (package / "parity" / "x.py").write_text(
        "try:\n    import lstm_export.nn.build\nexcept ImportError:\n    pass\n"
        "def f():\n    import lstm_export.nn.build\n"
    )
    assert violations(package) == [
        "lstm_export/novelty/x.py: novelty has no row in the table",
        "lstm_export/parity/x.py:2: parity imports nn",
        "lstm_export/runtime/x.py:2: runtime imports nn",
        "lstm_export/runtime/x.py:6: runtime imports training late",
    ]


def modules_of(*parts: str) -> list[str]:
    files = [path for part in parts for path in sorted((PACKAGE / part).rglob("*.py"))]
    dotted = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in files]
    return ["lstm_export", *(name.removesuffix(".__init__") for name in dotted)]


def imported_without(absent: tuple[str, ...], modules: list[str]) -> set[str]:
    """The packages in memory after importing `modules` where `absent` cannot be imported."""
    code = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({absent!r}))\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(*{name.split('.')[0] for name, value in sys.modules.items() if value})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return set(done.stdout.split())


def test_the_base_install_imports_every_part_that_it_needs() -> None:
    modules = modules_of(*BASE)
    assert len(modules) > 50
    loaded = imported_without(HEAVY, modules)
    assert {"numpy", "onnxruntime", "typer"} <= loaded
    assert not loaded & set(HEAVY)


def test_nothing_heavy_is_imported_even_where_it_is_installed() -> None:
    assert not imported_without((), modules_of(*BASE)) & set(HEAVY)


def test_reading_judging_and_the_oracle_need_numpy_alone() -> None:
    loaded = imported_without((*HEAVY, "onnxruntime", "typer"), modules_of(*NUMPY_ONLY))
    assert "numpy" in loaded


def test_importing_the_package_is_free() -> None:
    assert not imported_without((), ["lstm_export"]) & {"numpy", "onnxruntime", "typer", *HEAVY}


def test_a_package_that_is_absent_is_noticed() -> None:
    with pytest.raises(AssertionError, match="numpy"):
        imported_without(("numpy",), ["lstm_export.oracle.lstm"])
