"""Target files: written by users, copied from strangers; a bad one is one clear line."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rocm_pipeline.errors import UserError
from rocm_pipeline.targets import library
from rocm_pipeline.targets.library import TARGET_FILE, load_folder
from rocm_pipeline.targets.spec import Target
from tests.conftest import RecordFigure
from tests.fuzz.mutations import (
    HUGE,
    NASTY_VALUES,
    NASTY_WORDS,
    NESTED,
    mutated_document,
    mutated_lines,
    mutated_text,
    nudged_document,
)
from tests.fuzz.oracle import Oracle, fuzzing

YAML_WORDS = (
    *(
        "2001-99-99",
        "1:99:99",
        ".inf",
        ".nan",
        "-.inf",
        "0x_",
        "0b2",
        "!!python/object:os.system x",
    ),
    *(
        "!!binary x",
        "!!int x",
        "!!float x",
        "!!timestamp x",
        "!!set {a}",
        "!!bool zz",
        "!!null {}",
        "!<",
        "&a ",
        "*a",
        "? ",
        "---\n",
    ),
    *(
        "%YAML 9.9\n",
        "<<: ",
        "<<: {name: x}",
        "name: again\n",
        "{a: 1, a: 2}",
        "[[]: 1]",
        "? [1]\n: 2",
    ),
    *("\nsymbols: &s [*s]\n", "1" * 5000, "|\n", ">\n", "@", "`", "%", "\t", "..."),
)
BOMB = (
    "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "name: *i\n"
)


def builtin_folders() -> list[Path]:
    root = Path(library.__file__).parent / "builtin"
    return [root / name for name in library.builtin_names()]


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """A folder of the same name for each built-in target, whose target file is to be written."""
    found = {place.name: tmp_path / place.name for place in builtin_folders()}
    for place in found.values():
        place.mkdir()
        for name in ("baseline.hip", "reference.py"):
            (place / name).write_text(f"// {name}\n")
    return found


@pytest.fixture
def folder(folders: dict[str, Path]) -> Path:
    return folders["row_softmax"]


def read(folder: Path, text: str) -> Target:
    (folder / TARGET_FILE).write_bytes(text.encode("utf-8", "surrogatepass"))
    return load_folder(folder)


def test_a_hostile_target_file_is_read_or_refused_in_one_line(
    folders: dict[str, Path], record_figure: RecordFigure
) -> None:
    oracle = Oracle("target files", (UserError,))
    values = (
        *NASTY_VALUES,
        [2**31] * 3,
        list(range(300)),
        {"choices": list(range(1000))},
        ["gfx90a"] * 2,
    )
    texts = {place.name: (place / TARGET_FILE).read_text() for place in builtin_folders()}

    def inputs(name: str, own: str) -> st.SearchStrategy[tuple[str, str]]:
        document: Any = yaml.safe_load(own)
        changed = st.one_of(
            mutated_text([own], (*NASTY_WORDS, *YAML_WORDS, *NESTED)),
            mutated_text([own, *texts.values()], YAML_WORDS),
            mutated_lines([own]),
            mutated_document([document], values).map(_dumped),
            nudged_document([document]).map(_dumped),
            nudged_document([document]).map(_dumped),
            st.just(BOMB),
        )
        return st.tuples(st.just(name), changed)

    @fuzzing()
    @given(st.one_of([inputs(name, own) for name, own in sorted(texts.items())]))
    def fuzz(named: tuple[str, str]) -> None:
        name, text = named
        target = oracle.feed(lambda: read(folders[name], text))
        if target is not None:
            assert target.architectures
            assert oracle.feed_on(lambda: len(tuple(target.kernel_variants()))) in range(1, 257)

    fuzz()
    record_figure("fuzz", oracle.figure())


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "a: &a [*a]",
        *(f"name: {nested}" for nested in NESTED if nested[0] in "[{"),
        *(
            "- " * 3000 + "x",
            "? " * 3000 + "x",
            "a: 2001-99-99",
            f"a: {HUGE}",
            "a: 1\na: 2",
            "",
            "[]",
        ),
        *(
            "\0",
            "\ud800",
            "a: !!python/name:os.system x",
            'a: !!timestamp "zz"',
            "a: !!bool zz",
            "a: !%0A x",
            "!!map {a: 1}",
            "!!str a: 1",
            "a: 'b",
            "<<: {a: 1}",
            "1: 2\n? [x]\n: 3",
        ),
    ],
)
def test_a_bomb_is_refused_in_one_line(folder: Path, text: str) -> None:
    oracle = Oracle("target files", (UserError,))
    assert oracle.feed(lambda: read(folder, text)) is None
    assert oracle.refused == 1


@pytest.mark.parametrize("name", ["", "..", "a\0b", "x\n", "../other/reference.py", "/etc/passwd"])
def test_a_file_that_does_not_lie_beside_is_refused(folder: Path, name: str) -> None:
    data = yaml.safe_load((builtin_folders()[1] / TARGET_FILE).read_text())
    data["reference"] = name
    oracle = Oracle("target files", (UserError,))
    assert oracle.feed(lambda: read(folder, yaml.safe_dump(data))) is None
    assert oracle.refused == 1


def _dumped(document: Any) -> str:
    try:
        return yaml.dump(document, Dumper=_Plain, allow_unicode=True)
    except (yaml.YAMLError, ValueError):  # a value that YAML cannot hold: send what Python says
        return ascii(document)[:10_000]


_Dumper: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Plain(_Dumper):
    """Writes no aliases, so that repeated values reach the reader."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True
