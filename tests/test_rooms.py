"""Imports point one way: the table below is the architecture."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What each room may import, besides itself. docs/architecture.md shows this table.
ARROWS = {
    "system": set(),
    "volumes": {"system"},
    "spine": {"volumes", "system"},
    "augment": {"volumes", "system"},
    "cube": {"augment", "spine", "volumes", "system"},
    "phantom": {"volumes", "system"},
    "models": {"cube", "augment", "spine", "volumes", "system"},
    "evaluation": {"volumes", "system"},
    "pages": {"system"},
    "runs": {
        "models",
        "evaluation",
        "pages",
        "cube",
        "augment",
        "spine",
        "volumes",
        "system",
    },
}
HEAVY = {"keras", "tensorflow"}
MAY_IMPORT_KERAS = {"models", "runs"}


def imported_packages(path):
    """List the top-level packages that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def modules(room):
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ARROWS)
def test_a_room_imports_only_the_rooms_below_it(room):
    assert modules(room)
    for path in modules(room):
        rooms = set(imported_packages(path)) & (ARROWS.keys() | {"tests"})

        assert rooms <= ARROWS[room] | {room}, path


def test_the_table_has_no_circle():
    order = ["system", "volumes", "spine", "augment", "cube", "phantom"]
    order += ["models", "evaluation", "pages", "runs"]

    assert order == sorted(ARROWS, key=order.index)
    for place, room in enumerate(order):
        assert ARROWS[room] <= set(order[:place])


def test_every_room_is_in_the_table():
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert rooms == ARROWS.keys()


@pytest.mark.parametrize("room", sorted(ARROWS.keys() - MAY_IMPORT_KERAS))
def test_keras_is_imported_by_networks_and_runs_alone(room):
    for path in modules(room):
        assert not HEAVY & set(imported_packages(path)), path


def test_a_relative_import_is_not_overlooked():
    for room in ARROWS:
        for path in modules(room):
            tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            assert all(
                node.level == 0 for node in tree if isinstance(node, ast.ImportFrom)
            )
