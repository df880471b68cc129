"""What a bundle says: every file follows from the others, so one edited alone is found out."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from rocm_pipeline.bundle.contents import Bundle, LineageLink, parse
from rocm_pipeline.bundle.folder import BundleRefused
from tests.fakes.values import a_reproduction, an_operator_evidence


def edited(files: dict[str, bytes], path: str, edit: Callable[[Any], None]) -> dict[str, bytes]:
    document = json.loads(files[path])
    edit(document)
    return {**files, path: json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"}


def test_a_bundle_is_read_as_it_was_written_byte_for_byte(paper: Bundle) -> None:
    whole = replace(
        paper,
        lineage=(LineageLink(kind="candidate", id="k-1", facts={"source": "s"}),),
        document="# Text\n",
        operator_evidence=an_operator_evidence(paper.target, paper.candidate),
        reproduction=a_reproduction(paper.target, paper.candidate, paper.evidence),
        failing={"case0/output_y.npy": b"array"},
    )
    files = whole.files()
    assert parse(files, "here") == whole
    assert whole.files() == files


def test_the_manifest_names_the_hash_of_everything(paper: Bundle) -> None:
    hashes = json.loads(paper.files()["manifest.json"])["hashes"]
    assert hashes["source"] == paper.candidate.source_sha256
    assert hashes["launch_plan"] == paper.candidate.plan_sha256
    assert set(hashes) == {
        *("source", "launch_plan", "target", "reference", "baseline"),
        *("operator", "harness", "toolchain"),
    }


@pytest.mark.parametrize("path", ["kernel.hip", "baseline.hip", "target/reference.py"])
def test_a_source_edited_alone_is_found_out(paper: Bundle, path: str) -> None:
    files = paper.files()
    with pytest.raises(BundleRefused, match="does not say what the other files say"):
        parse({**files, path: files[path] + b"// more"}, "here")


@pytest.mark.parametrize("path", sorted(["manifest.json", "evidence.json", "launch.json"]))
def test_a_file_that_is_missing_is_named(paper: Bundle, path: str) -> None:
    files = paper.files()
    del files[path]
    with pytest.raises(BundleRefused, match=f"holds no {path}"):
        parse(files, "here")


def test_a_file_that_belongs_to_nothing_is_refused(paper: Bundle) -> None:
    with pytest.raises(BundleRefused, match=r"setup\.py does not say"):
        parse({**paper.files(), "setup.py": b"import os\n"}, "here")


def raise_a_speedup(document: Any) -> None:
    document["kernel"]["speedups"][0]["high"] *= 2


def raise_a_claim(document: Any) -> None:
    document["claims"][0]["recorded"] = "PASSED, tier T4"


def claim_a_tier(document: Any) -> None:
    document["kernel"]["tier"] = 4


def claim_t5(document: Any) -> None:
    document["kernel"]["tier"] = 5


def drop_a_case(document: Any) -> None:
    document["kernel"]["cases"] = []


def add_a_field(document: Any) -> None:
    document["kernel"]["trusted"] = True


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        ("evidence.json", raise_a_speedup),
        ("manifest.json", raise_a_claim),
        ("evidence.json", claim_a_tier),
        ("evidence.json", claim_t5),
        ("evidence.json", drop_a_case),
        ("evidence.json", add_a_field),
    ],
)
def test_figures_edited_in_one_file_are_found_out(
    paper: Bundle, path: str, edit: Callable[[Any], None]
) -> None:
    with pytest.raises(BundleRefused):
        parse(edited(paper.files(), path, edit), "here")


def ask_for_python(document: Any) -> None:
    document["work"]["bytes"] = "__import__('os').system('id')"


def ask_for_a_power(document: Any) -> None:
    document["tensors"]["x"]["shape"] = ["9**9**9**9"]


def ask_for_many_cases(document: Any) -> None:
    document["public_cases"] *= 1000


def ask_for_much_work(document: Any) -> None:
    document["emulation_operations"] = 10**15


def ask_for_many_variants(document: Any) -> None:
    for name in ("one", "two", "three"):
        document["symbols"][name] = {"choices": list(range(1, 999))}


def leave_the_symbols_out(document: Any) -> None:
    document["symbols"] = [1, 2]


@pytest.mark.parametrize(
    "edit",
    [
        ask_for_python,
        ask_for_a_power,
        ask_for_many_cases,
        ask_for_much_work,
        ask_for_many_variants,
        leave_the_symbols_out,
    ],
)
def test_a_target_that_asks_for_too_much_or_is_none_is_refused(
    paper: Bundle, edit: Callable[[Any], None]
) -> None:
    with pytest.raises(BundleRefused):
        parse(edited(paper.files(), "target/target.json", edit), "here")


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[" * 100_000, b"null", b"{}", b'{"a": 1e999}']
)
@pytest.mark.parametrize("path", ["target/target.json", "evidence.json", "lineage.json"])
def test_a_file_that_is_no_document_is_refused_in_a_line(
    paper: Bundle, path: str, content: bytes
) -> None:
    with pytest.raises(BundleRefused) as refused:
        parse({**paper.files(), path: content}, "here")
    assert "\n" not in str(refused.value)
