"""SECURITY.md says what is true: its tests and entry points exist, and the floors are those that pip is told."""

from __future__ import annotations

import ast
import re
import tomllib

from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
TESTS = re.findall(r"`(tests/\w+\.py)::(\w+)`", PAGE)
ENTRIES = sorted(set(re.findall(r"`(workbench(?:\.\w+)+)`", PAGE)))


def names_in(file: str) -> set[str]:
    """Functions and classes at the top of a file, and `Class.method`."""
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return found | {
        f"{one.name}.{node.name}" for one in classes for node in one.body if isinstance(node, ast.FunctionDef)
    }


def test_every_test_that_is_named_exists() -> None:
    assert len(TESTS) >= 30
    assert not [f"{file}::{name}" for file, name in TESTS if name not in names_in(file)]


def test_every_threat_has_a_layer_an_entry_point_and_a_test() -> None:
    section = PAGE.partition("## Threats")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if line[:2] == "| "
    ][1:]
    assert len(rows) >= 24 and all(len(row) == 4 and all(row) for row in rows)
    assert all(re.search(r"`workbench\.", row[2]) and re.search(r"`tests/", row[3]) for row in rows)


def test_every_entry_point_exists() -> None:
    assert len(ENTRIES) >= 20
    for entry in ENTRIES:
        parts = entry.split(".")
        ends = [end for end in range(len(parts), 0, -1) if (REPOSITORY / f"{'/'.join(parts[:end])}.py").is_file()]
        assert ends, entry
        name = ".".join(parts[ends[0] :])
        assert not name or name in names_in(f"{'/'.join(parts[: ends[0]])}.py"), entry


def test_the_floors_are_those_of_the_package_and_the_pinned_versions_stand_above() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    floors = {re.split(r"[\[>=]", one)[0]: one.partition(">=")[2] for one in asked if ">=" in one}
    pinned = dict(
        line.split("==") for line in (REPOSITORY / "requirements.txt").read_text().splitlines() if "==" in line
    )
    rows = re.findall(r"^\| (\w+) \| ([\d.]+) \| (.+) \|$", PAGE.partition("## Floors")[2], re.MULTILINE)
    assert {name for name, _, _ in rows} >= {"torch", "transformers", "onnx", "gradio"}
    for name, floor, why in rows:
        assert floors[name] == floor and numbers(pinned[name]) >= numbers(floor), name
        assert re.search(r"CVE-\d{4}-\d+|GHSA-", why), name


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_the_audit_says_why_it_is_skipped_and_fails_on_what_it_finds() -> None:
    script = (REPOSITORY / ".ci" / "audit").read_text(encoding="utf-8")
    assert "pip-audit was skipped: $1" in script and 'exit "$code"' in script
    assert ".ci/audit" in (REPOSITORY / "Makefile").read_text(encoding="utf-8")
