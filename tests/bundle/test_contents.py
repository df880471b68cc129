"""What a bundle says: every file follows from the others, so one edited alone is found out."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rocm_pipeline.bundle.contents import Bundle, LineageLink, parse
from rocm_pipeline.bundle.folder import BundleRefused
from rocm_pipeline.integration.package import generate
from tests.fakes.values import a_failing_evidence, a_reproduction, an_operator_evidence


def edited(files: dict[str, bytes], path: str, edit: Callable[[Any], None]) -> dict[str, bytes]:
    document = json.loads(files[path])
    edit(document)
    return {**files, path: json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"}


def test_a_bundle_is_read_as_it_was_written_byte_for_byte(paper: Bundle) -> None:
    whole = replace(
        paper,
        lineage=(LineageLink(kind="candidate", id="k-1", facts={"source": "s"}),),
        document="# Text\n",
        package=generate(paper.target, paper.candidate, "# op\n"),
        operator_evidence=an_operator_evidence(paper.target, paper.candidate),
        reproduction=a_reproduction(paper.target, paper.candidate, paper.evidence),
    )
    files = whole.files()
    assert parse(files, "here") == whole
    assert whole.files() == files


def npy(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


@pytest.fixture
def failed(paper: Bundle) -> Bundle:
    """A bundle of a kernel that failed, with an array of it."""
    evidence = a_failing_evidence(paper.target, paper.candidate)
    arrays = {"case0/output_y.npy": npy(np.arange(3.0))}
    return replace(paper, evidence=evidence, failing=arrays)


def test_arrays_of_a_failing_kernel_are_read_as_they_were_written(failed: Bundle) -> None:
    assert parse(failed.files(), "here") == failed


PICKLE = b"cos\nsystem\n(S'id'\ntR."


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("case0/output_y.npy", PICKLE, "case0/output_y.npy is not an array"),
        ("case0/output_y.npy", npy(np.arange(3.0)) + PICKLE, "is not an array"),
        ("case0/readme.txt", b"Measured 50x", "case0/readme.txt is no array of a failing case"),
        ("case0/other_y.npy", npy(np.arange(3.0)), "is no array of a failing case"),
        ("output_y.npy", npy(np.arange(3.0)), "is no array of a failing case"),
    ],
)
def test_anything_but_an_array_beside_failing_cases_is_refused(
    failed: Bundle, path: str, content: bytes, said: str
) -> None:
    files = replace(failed, failing={path: content}).files()
    with pytest.raises(BundleRefused, match=said) as refused:
        parse(files, "here")
    assert "\n" not in str(refused.value)


def test_a_kernel_that_passed_has_no_failing_cases(paper: Bundle, failed: Bundle) -> None:
    with pytest.raises(BundleRefused, match="holds failing/, but the kernel passed"):
        parse(replace(paper, failing=failed.failing).files(), "here")


def test_an_operator_without_evidence_is_refused_and_the_other_way_round(paper: Bundle) -> None:
    package = generate(paper.target, paper.candidate, "import os; os.system('id')\n")
    with pytest.raises(BundleRefused, match=r"holds operator/ without operator_evidence\.json"):
        parse(replace(paper, package=package).files(), "here")
    evidence = an_operator_evidence(paper.target, paper.candidate)
    with pytest.raises(BundleRefused, match=r"holds operator_evidence\.json without operator/"):
        parse(replace(paper, operator_evidence=evidence).files(), "here")


def test_evidence_of_the_operator_of_another_kernel_is_refused(paper: Bundle) -> None:
    package = generate(paper.target, paper.candidate, "# op\n")
    other = paper.candidate.model_copy(update={"source": "another"})
    evidence = an_operator_evidence(paper.target, other)
    with pytest.raises(BundleRefused, match=r"operator_evidence\.json is about another kernel"):
        parse(replace(paper, package=package, operator_evidence=evidence).files(), "here")


@pytest.mark.parametrize(
    "sandbox",
    [
        "bubblewrap 0.11.0 + seccomp + cgroup v2 (memory, pids)",
        "landlock 7 + own files + seccomp + no cgroup",
    ],
)
def test_the_names_of_our_sandboxes_are_taken_and_no_other_words(
    paper: Bundle, sandbox: str
) -> None:
    evidence = paper.evidence.model_copy(update={"sandbox": sandbox})
    assert parse(replace(paper, evidence=evidence).files(), "here").evidence.sandbox == sandbox
    for words in ("certified by AMD on MI300X", f"{sandbox} on MI300X", f"{sandbox}\n"):
        evidence = paper.evidence.model_copy(update={"sandbox": words})
        for forged in ({"evidence": evidence}, {"baseline_evidence": evidence}):
            with pytest.raises(BundleRefused, match="names no sandbox of this program"):
                parse(replace(paper, **forged).files(), "here")


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


def ask_for_work_without_end(document: Any) -> None:
    document["emulation_operations"] = float("inf")


def leave_the_symbols_out(document: Any) -> None:
    document["symbols"] = [1, 2]


@pytest.mark.parametrize(
    "edit",
    [
        ask_for_python,
        ask_for_a_power,
        ask_for_many_cases,
        ask_for_much_work,
        ask_for_work_without_end,
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
    assert ": :" not in str(refused.value)
