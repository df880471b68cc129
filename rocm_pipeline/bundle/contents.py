"""What a bundle holds, as typed values, and the files that say the same.

The files are a function of the values, so the same records give the same bytes; and reading a
bundle ends with writing it again and comparing, so no file can say anything but the values do.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from rocm_pipeline.agents.outcome import document_id
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.bundle.environment import Environment
from rocm_pipeline.bundle.failing import check_arrays
from rocm_pipeline.bundle.folder import refusal
from rocm_pipeline.bundle.manifest import Manifest, baseline_of, manifest_of
from rocm_pipeline.bundle.stranger import check_bounds
from rocm_pipeline.integration.evidence import OperatorEvidence
from rocm_pipeline.integration.package import OperatorPackage, PackageFile
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.planning.review import Review
from rocm_pipeline.targets.launch_plan import LaunchPlan
from rocm_pipeline.targets.spec import Case, Target

MANIFEST = "manifest.json"
EVIDENCE = "evidence.json"
KERNEL = "kernel.hip"
BASELINE = "baseline.hip"
LAUNCH = "launch.json"
TARGET = "target/target.json"
REFERENCE = "target/reference.py"
AGENT_CASES = "agent_cases.json"
LINEAGE = "lineage.json"
REVIEWS = "reviews.json"
DOCUMENT = "documentation.md"
REPRODUCTION = "reproduction.json"
OPERATOR = "operator/"
OPERATOR_EVIDENCE = "operator_evidence.json"
FAILING = "failing/"

SANDBOX_FORM = re.compile(
    r"(bubblewrap|landlock)( \d[\d.]*)?"
    r"( \+ (own files|seccomp|no cgroup|cgroup v\d \([a-z]+(, [a-z]+)*\)))*"
)
"""What `Sandbox.identity` may be: words of ours, with nothing of the author's."""

_Model = TypeVar("_Model", bound=BaseModel)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EvidencePair(_Frozen):
    """The kernel's evidence and that of the baseline it is compared with."""

    kernel: Evidence
    baseline: Evidence


class LineageLink(_Frozen):
    """One record of the chain from the kernel back to the commit."""

    kind: str
    id: str
    facts: dict[str, str]


_LINEAGE = TypeAdapter(tuple[LineageLink, ...])
_REVIEWS = TypeAdapter(tuple[Review, ...])


@dataclass(frozen=True)
class Bundle:
    """One kernel with all that is needed to judge it again."""

    target: Target
    candidate: Candidate
    evidence: Evidence
    baseline_evidence: Evidence
    exported_by: Environment
    lineage: tuple[LineageLink, ...] = ()
    reviews: tuple[Review, ...] = ()
    document: str | None = None
    package: OperatorPackage | None = None
    operator_evidence: OperatorEvidence | None = None
    reproduction: Reproduction | None = None
    """What the pipeline itself found in a clean workspace."""
    failing: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """Arrays of failing cases, `.npy` files by path below `failing/`; none of a pass."""

    @property
    def baseline(self) -> Candidate:
        return baseline_of(self.target)

    @property
    def agent_cases(self) -> tuple[Case, ...]:
        """Cases that a testing agent added, each once, in the order in which they ran."""
        found = {r.case.name: r.case for r in self.evidence.cases if r.origin == "agent"}
        return tuple(found.values())

    @property
    def evidence_ids(self) -> frozenset[str]:
        """What a review of this kernel may cite."""
        records = (
            self.evidence,
            self.baseline_evidence,
            self.operator_evidence,
            self.reproduction,
            *(review for review in self.reviews if review.kind == "cross"),
        )
        known = {record.id for record in records if record is not None}
        return frozenset(known | ({document_id(self.document)} if self.document else set()))

    @property
    def manifest(self) -> Manifest:
        return manifest_of(
            self.target,
            self.candidate,
            self.evidence,
            self.baseline_evidence,
            self.exported_by,
            operator=None if self.package is None else self.package.sha256,
        )

    def files(self) -> dict[str, bytes]:
        """Return every file by path, SHA256SUMS left out."""
        pair = EvidencePair(kernel=self.evidence, baseline=self.baseline_evidence)
        texts = {
            MANIFEST: _text(self.manifest),
            EVIDENCE: _text(pair),
            KERNEL: self.candidate.source,
            BASELINE: self.target.baseline.source,
            LAUNCH: _text(self.candidate.launch_plan),
            TARGET: _text(self.target),
            REFERENCE: self.target.reference,
            AGENT_CASES: _json([case.model_dump(mode="json") for case in self.agent_cases]),
            LINEAGE: _json([link.model_dump(mode="json") for link in self.lineage]),
        }
        if self.reviews:
            texts[REVIEWS] = _json([review.model_dump(mode="json") for review in self.reviews])
        if self.document is not None:
            texts[DOCUMENT] = self.document
        if self.reproduction is not None:
            texts[REPRODUCTION] = _text(self.reproduction)
        if self.operator_evidence is not None:
            texts[OPERATOR_EVIDENCE] = _text(self.operator_evidence)
        for file in self.package.files if self.package else ():
            texts[OPERATOR + file.path] = file.text
        arrays = {FAILING + path: content for path, content in self.failing.items()}
        return {path: text.encode() for path, text in texts.items()} | arrays


def parse(files: Mapping[str, bytes], folder: str) -> Bundle:
    """Return the bundle that `files` hold; BundleRefused when they do not fit together."""
    reader = _Reader(files, folder)
    document = reader.content(TARGET)
    check_bounds(document, folder)
    target = reader.model(TARGET, Target)
    pair = reader.model(EVIDENCE, EvidencePair)
    manifest = reader.model(MANIFEST, Manifest)
    bundle = Bundle(
        target=target,
        candidate=Candidate(
            target=target.name,
            source=reader.text(KERNEL),
            launch_plan=reader.model(LAUNCH, LaunchPlan),
        ),
        evidence=pair.kernel,
        baseline_evidence=pair.baseline,
        exported_by=manifest.exported_by,
        lineage=reader.adapted(LINEAGE, _LINEAGE),
        reviews=reader.adapted(REVIEWS, _REVIEWS) if REVIEWS in files else (),
        document=reader.text(DOCUMENT) if DOCUMENT in files else None,
        package=reader.package(manifest),
        operator_evidence=reader.optional(OPERATOR_EVIDENCE, OperatorEvidence),
        reproduction=reader.optional(REPRODUCTION, Reproduction),
        failing={
            path.removeprefix(FAILING): content
            for path, content in files.items()
            if path.startswith(FAILING)
        },
    )
    again = bundle.files()
    different = sorted(path for path in files if again.get(path) != files[path])
    if different or set(again) != set(files):
        first = (different or sorted(set(again) - set(files)))[0]
        raise refusal(f"{first} does not say what the other files say", folder)
    _check_whole(bundle, folder)
    return bundle


def _check_whole(bundle: Bundle, folder: str) -> None:
    """Refuse what no export writes, and what would be carried along without a word on it."""
    recorded = bundle.operator_evidence
    if (bundle.package is None) != (recorded is None):
        holds, lacks = (
            (OPERATOR, OPERATOR_EVIDENCE) if bundle.package else (OPERATOR_EVIDENCE, OPERATOR)
        )
        raise refusal(f"holds {holds} without {lacks}, so nothing is known of it", folder)
    about = (bundle.target.name, bundle.candidate.id)
    if recorded is not None and (recorded.target, recorded.candidate) != about:
        raise refusal(f"{OPERATOR_EVIDENCE} is about another kernel", folder)
    for evidence in (bundle.evidence, bundle.baseline_evidence):
        if evidence.sandbox and not SANDBOX_FORM.fullmatch(evidence.sandbox):
            raise refusal(f"{EVIDENCE} names no sandbox of this program", folder)
    if bundle.failing and bundle.evidence.status is Status.PASSED:
        raise refusal(f"holds {FAILING}, but the kernel passed", folder)
    check_arrays(bundle.failing, f"{folder}/{FAILING}")


@dataclass(frozen=True)
class _Reader:
    files: Mapping[str, bytes]
    folder: str

    def content(self, path: str) -> bytes:
        if path not in self.files:
            raise refusal(f"holds no {path}", self.folder)
        return self.files[path]

    def text(self, path: str) -> str:
        try:
            return self.content(path).decode()
        except UnicodeDecodeError as error:
            raise refusal(f"{path} is not UTF-8", self.folder) from error

    def model(self, path: str, kind: type[_Model]) -> _Model:
        return self.adapted(path, TypeAdapter(kind))

    def optional(self, path: str, kind: type[_Model]) -> _Model | None:
        return self.model(path, kind) if path in self.files else None

    def adapted(self, path: str, adapter: "TypeAdapter[_Value]") -> "_Value":
        try:
            return adapter.validate_json(self.content(path))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            where = f"{path}: {field}" if field else path
            raise refusal(f"{where}: {first['msg']}", self.folder) from error
        except RecursionError as error:
            raise refusal(f"{path} is nested too deep", self.folder) from error

    def package(self, manifest: Manifest) -> OperatorPackage | None:
        paths = sorted(path for path in self.files if path.startswith(OPERATOR))
        if not paths:
            return None
        return OperatorPackage(
            target=manifest.target,
            candidate=manifest.kernel,
            files=tuple(
                PackageFile(path=path.removeprefix(OPERATOR), text=self.text(path))
                for path in paths
            ),
        )


_Value = TypeVar("_Value")


def _text(model: BaseModel) -> str:
    return model.model_dump_json(indent=1) + "\n"


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
