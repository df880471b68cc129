"""Targets on disk: the built-in ones, new ones, and files that must be mended."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.controls import run_controls
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.targets import library


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return library.create("mine", tmp_path)


def change(folder: Path, **fields: Any) -> None:
    path = folder / library.TARGET_FILE
    data = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**data, **fields}))


@pytest.mark.parametrize("name", library.builtin_names())
def test_every_trivial_kernel_fails_on_a_built_in_target(name: str, tmp_path: Path) -> None:
    target = library.load(name, tmp_path)
    controls = run_controls(target, Reference(target), seed=1)
    assert [c.name for c in controls if not c.rejected] == []


def test_a_new_target_works_as_it_is(folder: Path) -> None:
    target = library.load_folder(folder)
    assert target.kernel_names(target.baseline.launch_plan) == ("mine_f32",)
    assert all(c.rejected for c in run_controls(target, Reference(target), seed=1))


def test_a_target_of_the_user_is_listed_after_the_built_in_ones(folder: Path) -> None:
    assert library.names(folder.parent) == (*library.builtin_names(), "mine")


def test_a_new_target_does_not_overwrite_one(folder: Path) -> None:
    with pytest.raises(UserError, match="is there already"):
        library.create("mine", folder.parent)


@pytest.mark.parametrize("name", library.builtin_names())
def test_a_new_target_does_not_take_a_built_in_one_s_place(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a built-in target"):
        library.create(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_new_target_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "targets").touch()
    with pytest.raises(UserError, match="cannot be written"):
        library.create("mine", tmp_path / "targets")


@pytest.mark.parametrize("name", ["../up", "Upper", "", "a b", "9x", "a" * 60, "con.yaml"])
def test_a_new_target_needs_a_plain_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no name for a target"):
        library.create(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_target_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="row_softmax"):
        library.load("nothing", tmp_path)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"work": {"bytes": "n ** 2", "operations": "n"}}, "work.bytes.*n \\*\\* 2"),
        ({"tensors": {"y": {"role": "output", "dtype": "io", "shape": ["m"]}}}, "names m"),
        ({"dtypes": {"io": ["float13"]}}, "dtypes.io.0"),
        ({"architectures": ["gfx9999"]}, "gfx9999 unknown; known are gfx90a"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"name": "other"}, "the folder is 'mine'"),
        ({"tolerance": {}}, "no entry for float32"),
        (
            {"public_cases": [{"symbols": {"n": 0}, "dtypes": {"io": "float32"}}]},
            "outside the symbol's domain",
        ),
        ({"symbols": {"n": {"min": 5, "max": 1}}}, "max 1 is below min 5"),
        ({"reference": "../../etc/passwd"}, "is not a file beside it"),
        ({"reference": "absent.py"}, "cannot be read"),
        ({"watch": "kernels"}, "watch: Input should be a list. Mend `watch`"),
        ({"symbols": ["n"]}, "symbols: Input should be a mapping of names"),
        ({"symbols": {"n": {"min": True, "max": 9}}}, "symbols.n.min: true is a truth value"),
        ({"symbols": {"n": {"max": 2**31}}}, "symbols.n.max: Input should be less than 2147483648"),
        (
            {"public_cases": [{"symbols": {"n": True}, "dtypes": {"io": "float32"}}]},
            "public_cases.0.symbols.n: true is a truth value",
        ),
        (
            {"tolerance": {"float32": {"absolute": False, "relative": 0, "calibration": "-"}}},
            "tolerance.float32.absolute: false is a truth value",
        ),
        ({"work": {"bytes": "n", "operations": f"{10**30} * n"}}, "work.operations: .* 63 bits"),
        ({"work": {"bytes": "n // 0", "operations": "n"}}, r"work, in public_cases\[0\]: .* zero"),
        (
            {"work": {"bytes": "n", "operations": "n * n * n"}},
            r"work, in timing_cases\[0\]: 'n \* n \* n' needs more than 63 bits",
        ),
        (
            {"tensors": {"y": {"role": "output", "dtype": "io", "shape": ["n % 0"]}}},
            r"tensors, in public_cases\[0\]: 'n % 0' divides by zero",
        ),
        (
            {
                "baseline": {
                    "source": "baseline.hip",
                    "why_slow": "-",
                    "launch_plan": {
                        "launches": [
                            {
                                "kernel": "k",
                                "grid": ["n // 0", 1, 1],
                                "block": [1, 1, 1],
                                "args": [],
                            }
                        ]
                    },
                }
            },
            r"baseline.launch_plan: launch 0 \(k\): 'n // 0' divides by zero. Mend it in that file",
        ),
    ],
)
def test_bad_input_names_the_file_the_field_and_the_reason(
    folder: Path, fields: dict[str, Any], words: str
) -> None:
    change(folder, **fields)
    named = "absent.py" if "absent.py" in fields.values() else "target.yaml"
    with pytest.raises(UserError, match=words) as raised:
        library.load_folder(folder)
    assert named in raised.value.where
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["name: [", "- a list", "", "name: \x00"])
def test_a_file_that_is_no_mapping_is_refused_in_one_line(folder: Path, text: str) -> None:
    (folder / library.TARGET_FILE).write_text(text)
    with pytest.raises(UserError) as raised:
        library.load_folder(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_module", "reference of mine: does not load"),
        ("x = 1", "defines no function"),
        ("def reference(i, s, c): return {}", "returns no 'y'"),
        ("def reference(i, s, c): return {'y': i['x'][:1]}", "of shape"),
        ("def reference(i, s, c): return {'y': i['x'] * float('nan')}", "not finite"),
        ("def reference(i, s, c): raise KeyError('k')", "fails on"),
        ("raise SystemExit(7)", "does not load .SystemExit: 7"),
        ("def reference(i, s, c): raise SystemExit(7)", "fails on .* .SystemExit: 7"),
        ("def reference(i, s, c): pass", "returns a NoneType, not a dict"),
        ("def reference(i, s, c): return {'y': i['x'].astype(str)}", "not of numbers"),
    ],
)
def test_a_broken_reference_is_refused(folder: Path, source: str, words: str) -> None:
    (folder / "reference.py").write_text(source)
    target = library.load_folder(folder)
    with pytest.raises(UserError, match=words):
        run_controls(target, Reference(target), seed=1)


@pytest.mark.parametrize("source", ["def reference(:", "x = 1\n  y = 2", "x = '\0'"])
def test_a_reference_that_is_no_python_is_told_with_its_path(folder: Path, source: str) -> None:
    (folder / "reference.py").write_text(source)
    with pytest.raises(UserError, match="is no Python program") as raised:
        library.load_folder(folder)
    assert raised.value.where == str(folder / "reference.py")


def test_a_folder_without_its_file_is_to_be_mended_not_made(folder: Path) -> None:
    (folder / library.TARGET_FILE).unlink()
    with pytest.raises(UserError, match=r"mine/target.yaml: cannot be read .*remove the folder"):
        library.load("mine", folder.parent)


def test_no_target_is_offered_under_what_is_no_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no target '\.\./x'") as caught:
        library.load("../x", tmp_path)
    assert "targets new" not in caught.value.fix


@pytest.mark.parametrize("name", ["reference.py", "baseline.hip", library.TARGET_FILE])
def test_a_file_of_a_target_that_is_none_is_refused_by_its_name(name: str, folder: Path) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(UserError, match=f"mine/{name}: is no plain file"):
        library.load("mine", folder.parent)


@pytest.mark.parametrize("name", ["reference.py", library.TARGET_FILE])
def test_a_file_of_a_target_that_is_no_text_is_to_be_saved_as_text(name: str, folder: Path) -> None:
    (folder / name).write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=f"mine/{name}: is no UTF-8 text. Save it as UTF-8"):
        library.load_folder(folder)
