"""Blocks of code are found as the page shows them, however they are fenced."""

import pytest

from rocm_pipeline.agents.examples import BlockKind
from rocm_pipeline.integration.code_blocks import CodeBlock, code_blocks

KERNEL = "__global__ void k() {}\n"


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("```python\nx = 1\n```\n", "x = 1\n"),
        ("~~~python\nx = 1\n~~~\n", "x = 1\n"),
        ("~~~python\nx = 1\n```\ny = 2\n~~~\n", "x = 1\n```\ny = 2\n"),
        ("`````python\nx = 1\n```\ny = 2\n`````\n", "x = 1\n```\ny = 2\n"),
        ("  ```python\n  x = 1\n  ```\n", "x = 1\n"),
        ("- so:\n\n  ```python\n  x = 1\n    y = 2\n  ```\n", "x = 1\n  y = 2\n"),
        ("> ```python\n> x = 1\n> ```\n", "x = 1\n"),
        ("```python\nx = 1\n\ny = 2\n", "x = 1\n\ny = 2\n"),
        ("```python\r\nx = 1\r\ny = 2\r\n```\r\n", "x = 1\ny = 2\n"),
        ('``` Python title="a"\nx = 1\n```\n', "x = 1\n"),
        ("```{.py}\nx = 1\n```\n", "x = 1\n"),
        ("```python3\n```\n", ""),
    ],
)
def test_a_python_block_is_found_in_every_form(markdown: str, text: str) -> None:
    (block,) = code_blocks(markdown)
    assert block.kind is BlockKind.PYTHON
    assert block.text == text


def test_blocks_come_in_order_with_the_line_where_they_begin() -> None:
    found = code_blocks("# A\n\n```python\nx\n```\n\nText `y`.\n\n~~~\nz\n~~~\n")
    assert found == (CodeBlock(3, "python", "x\n"), CodeBlock(9, "", "z\n"))


@pytest.mark.parametrize(
    ("markdown", "kind"),
    [
        (f"```cpp\n{KERNEL}```\n", BlockKind.KERNEL),
        (f"```HIP\n{KERNEL}```\n", BlockKind.KERNEL),
        (f"```c++\n{KERNEL}```\n", BlockKind.KERNEL),
        ("```cpp\nint x;\n```\n", BlockKind.SHOWN),
        (f"```text\n{KERNEL}```\n", BlockKind.SHOWN),
        ("```bash\nls\n```\n", BlockKind.SHOWN),
        ("```\nx = 1\n```\n", BlockKind.SHOWN),
        ("```pythonic\nx = 1\n```\n", BlockKind.SHOWN),
        ("Text.\n\n    x = 1\n", BlockKind.SHOWN),
    ],
)
def test_only_python_and_kernels_are_more_than_shown(markdown: str, kind: BlockKind) -> None:
    assert [block.kind for block in code_blocks(markdown)] == [kind]


@pytest.mark.parametrize(
    "markdown", ["", "In words, with `python` inline.\n", "    \n", "\\```python\n"]
)
def test_a_text_without_code_has_no_block(markdown: str) -> None:
    assert code_blocks(markdown) == ()
