"""The package's metadata agrees with the tree, and its documentation runs."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
import sys
import tomllib
from fnmatch import fnmatch
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest

import dyad

ROOT = Path(dyad.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]


FLOORS = sorted(path for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "." and path.name != "build")


def ours(pattern):
    return [*ROOT.glob(pattern), *chain(*(floor.rglob(pattern) for floor in FLOORS))]


def modules():
    return ours("*.py")


def name(path):
    return ".".join(("dyad", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def imports(path):
    """Return the full names of the modules that a file imports."""
    package = name(path).split(".") if path.name == "__init__.py" else name(path).split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join((*base, node.module) if node.module else base)
            found |= {start} if start != "dyad" else {f"{start}.{alias.name}" for alias in node.names}
    return found


def normal(distribution):
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_packages_are_those_of_the_tree():
    assert sorted(SETUPTOOLS["packages"]) == sorted(name(path) for path in ours("__init__.py"))


def test_folders_with_python_files_are_packages():
    assert {path.parent for path in modules()} == {path.parent for path in ours("__init__.py")}


def test_no_python_file_beside_the_package_at_the_root():
    assert [path.name for path in ROOT.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("suffix", ["onnx", "yaml", "json", "csv", "svg", "npz", "v"])
def test_data_files_are_in_the_package(suffix):
    patterns = [
        f"{package.removeprefix('dyad').replace('.', '/').lstrip('/')}/{pattern}"
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
    ]
    for path in ours(f"*.{suffix}"):
        inside = path.relative_to(ROOT).as_posix()
        assert any(fnmatch(inside, pattern) for pattern in patterns), f"{inside} is not in package-data"


def test_imports_are_declared():
    project = PROJECT["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    declared = {normal(re.split(r"[^\w.-]", each)[0]) for each in wanted}
    distributions = metadata.packages_distributions()
    for path in modules():
        for imported in {target.split(".")[0] for target in imports(path)} - {*sys.stdlib_module_names, "dyad"}:
            owners = {normal(owner) for owner in distributions.get(imported, [imported])}
            assert owners & declared, f"{path.relative_to(ROOT)} imports {imported}, which pyproject.toml does not name"


def test_floors_never_import_upwards():
    allowed = {
        "models": {"models"},
        "rtl": {"rtl", "models"},
        "sim": {"sim", "models"},
        "hw": {"hw", "rtl", "models"},
        "analysis": {"analysis", "hw", "models", "rtl", "sim"},
    }
    for path in modules():
        floor = path.relative_to(ROOT).parts[0]
        if floor in allowed:
            above = {target.split(".")[1] for target in imports(path) if target.startswith("dyad.")} - allowed[floor]
            assert not above, f"{path.relative_to(ROOT)} imports from {above}"


def test_version():
    assert metadata.version("dyad") == PROJECT["project"]["version"]


def test_console_script_exists():
    assert callable(pkgutil.resolve_name(PROJECT["project"]["scripts"]["dyad"]))


@pytest.mark.parametrize("module", [name(path) for path in modules() if "tests" not in path.parts])
def test_doctests(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0
