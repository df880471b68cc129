"""What leaves in a bundle holds no secret, and its hashes are of what leaves."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from rocm_pipeline.agents.outcome import ChosenKernel, Document, Operator
from rocm_pipeline.bundle.contents import Bundle, LineageLink, parse
from rocm_pipeline.bundle.folder import SUMS, read_folder, sums, write_folder
from rocm_pipeline.bundle.outgoing import outgoing_files
from rocm_pipeline.errors import UserError
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.planning.rule_reviewer import cross_review
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.publishing.pull_request import BODY, BUNDLE, Proposal, proposal_files
from rocm_pipeline.redaction import process
from rocm_pipeline.redaction.fingerprints import Fingerprints
from rocm_pipeline.redaction.redactor import MARK, Redactor
from tests.fakes.values import an_operator_evidence
from tests.redaction.canaries import CANARIES, ENCODINGS

TEXT = "\n".join(spell(canary) for canary in CANARIES for spell in ENCODINGS.values())


@pytest.fixture(autouse=True)
def _knowing(monkeypatch: pytest.MonkeyPatch) -> None:
    state = type("State", (), {"redactor": Redactor(Fingerprints.of(CANARIES))})
    monkeypatch.setattr(process, "_State", state)


@pytest.fixture
def leaky(paper: Bundle) -> Bundle:
    """A bundle with every canary in every text that was not judged."""
    review = cross_review(paper.target, paper.candidate, paper.evidence)
    findings = tuple(f.model_copy(update={"message": TEXT}) for f in review.findings)
    assert findings
    return replace(
        paper,
        document=TEXT,
        reviews=(review.model_copy(update={"findings": findings}),),
        lineage=(LineageLink(kind="reply", id="r-1", facts={"content": TEXT}),),
    )


def _leaks(files: Mapping[str, bytes]) -> Iterator[str]:
    for path, content in files.items():
        for canary in CANARIES:
            for name, spell in ENCODINGS.items():
                if spell(canary).encode() in content:
                    yield f"{path}: {name} of {canary}"


def test_the_search_finds_canaries_in_what_was_not_redacted(leaky: Bundle) -> None:
    """The control of the next test."""
    assert {leak.split(":")[0] for leak in _leaks(leaky.files())} == {
        "documentation.md",
        "reviews.json",
        "lineage.json",
    }


def test_no_canary_leaves_and_the_folder_is_intact(leaky: Bundle, tmp_path: Path) -> None:
    write_folder(tmp_path / "bundle", outgoing_files(leaky))
    files = read_folder(tmp_path / "bundle")  # refuses a hash that is not of what lies there
    assert list(_leaks(files)) == []
    for path in ("documentation.md", "reviews.json", "lineage.json"):
        assert MARK.encode() in files[path]
    assert parse(files, "here").candidate == leaky.candidate


def test_the_branch_redacts_nothing_that_the_sums_are_of(leaky: Bundle) -> None:
    files = outgoing_files(leaky)
    carried = {path: content.decode() for path, content in {**files, SUMS: sums(files)}.items()}
    kernel = ChosenKernel(
        target=leaky.target.name,
        candidate=leaky.candidate,
        evidence=leaky.evidence,
        is_baseline=False,
        exchange=None,
        reason="",
    )
    operator = TorchOp(
        target=leaky.target.name,
        operator=Operator(target=leaky.target.name, source="", exchange=None),
        package=None,
        evidence=an_operator_evidence(leaky.target, leaky.candidate),
    )
    proposal = Proposal(
        target=leaky.target,
        snapshot=RepoSnapshot(repository="r", commit="c0ffee", files={}),
        kernel=kernel,
        operator=operator,
        document=Document(target=leaky.target.name, markdown=TEXT, problems=(), exchange=None),
        review=leaky.reviews[0],
        body=TEXT,
        bundle=carried,
    )
    folder = f"kernels/{leaky.target.name}/"
    published = proposal_files(proposal)
    for path, text in carried.items():
        assert published[f"{folder}{BUNDLE}/{path}"] == text
    assert list(_leaks({path: text.encode() for path, text in published.items()})) == []
    for name in ("README.md", BODY):
        assert published[f"{folder}{name}"].count(MARK) >= len(CANARIES), name


def test_a_kernel_with_a_secret_in_it_does_not_leave(paper: Bundle) -> None:
    source = f"{paper.candidate.source}// {CANARIES[3]}\n"
    candidate = paper.candidate.model_copy(update={"source": source})
    with pytest.raises(UserError, match="a secret stands in what was judged") as refused:
        outgoing_files(replace(paper, candidate=candidate))
    assert "kernel.hip" in str(refused.value)
    assert CANARIES[3] not in str(refused.value)
