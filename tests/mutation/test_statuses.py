"""The list of outcomes is closed, and each is produced: none is there that nothing can reach."""

import ast
from pathlib import Path

import pytest
import yaml

from rocm_pipeline.lab.evidence import Status

ROOT = Path(__file__).parents[2]
PRODUCED: dict[str, str | dict[str, str]] = yaml.safe_load(
    (Path(__file__).parent / "statuses.yaml").read_text(encoding="utf-8")
)


def _assigned(node: ast.AST) -> set[str]:
    names = (each for each in ast.walk(node) if isinstance(each, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


def expected_by(tree: ast.Module, test: str) -> set[str]:
    """Return the outcomes that the test names, or a table or parameter that it is given."""
    (function,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == test)
    used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    tables = (
        node
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and used & _assigned(node)
    )
    return {
        node.attr
        for part in (function, *tables)
        for node in ast.walk(part)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.value.id == "Status"
    }


def test_every_outcome_is_listed_once() -> None:
    assert list(PRODUCED) == [status.value for status in Status]


@pytest.mark.parametrize("status", list(Status))
def test_a_test_expects_it_or_it_is_reserved_for_a_reason(status: Status) -> None:
    entry = PRODUCED[status.value]
    if isinstance(entry, dict):
        assert entry["reserved"].strip()
        return
    file, _, test = entry.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert status.name in expected_by(tree, test)
