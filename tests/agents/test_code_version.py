"""What the documentation says that a stage's code version covers."""

import re
from pathlib import Path

from rocm_pipeline.agents.code_version import STAGE_PACKAGES

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
ROW = re.compile(r"^\| `(\w+)` \| (`\w+`(?:, `\w+`)*) \|$", re.MULTILINE)


def test_the_page_has_the_packages_of_every_stage() -> None:
    rows = {stage: tuple(re.findall(r"\w+", packages)) for stage, packages in _rows()}
    assert rows == STAGE_PACKAGES


def _rows() -> list[tuple[str, str]]:
    text = PAGE.read_text()
    begin = text.index("| stage | packages |")
    return ROW.findall(text[begin : text.index("\n\n", begin)])
