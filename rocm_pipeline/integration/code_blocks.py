"""The blocks of code in a Markdown document, found by the parser that also renders it."""

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt

from rocm_pipeline.agents.examples import BlockKind

_LANGUAGE = re.compile(r"[\s{.]*([A-Za-z0-9_+#-]{0,20})")
_PYTHON = {"python", "python3", "py"}
_DEVICE = {"c++", "cc", "cpp", "cuda", "cxx", "hip"}
_KERNEL = re.compile(r"\b__global__\b")


@dataclass(frozen=True)
class CodeBlock:
    """One block; `line` is where it begins in the document, counted from 1."""

    line: int
    language: str
    text: str

    @property
    def kind(self) -> BlockKind:
        if self.language in _PYTHON:
            return BlockKind.PYTHON
        if self.language in _DEVICE and _KERNEL.search(self.text):
            return BlockKind.KERNEL
        return BlockKind.SHOWN


def code_blocks(markdown: str) -> tuple[CodeBlock, ...]:
    """Return every fenced or indented block, in order, as CommonMark sees them.

    So a fence that is never closed reaches to the end of the document, as it is shown.
    """
    found: list[CodeBlock] = []
    # within paragraphs there are no blocks to find
    for token in MarkdownIt("commonmark").disable("inline").parse(markdown):
        if token.type in ("fence", "code_block") and token.map:
            found.append(CodeBlock(token.map[0] + 1, _language(token.info), token.content))
    return tuple(found)


def _language(info: str) -> str:
    named = _LANGUAGE.match(info)
    return named[1].lower() if named else ""
