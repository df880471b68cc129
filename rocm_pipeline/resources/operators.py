"""Makes the operator package around a kernel, and judges it and its documentation's code once."""

import hashlib
from functools import cache

from rocm_pipeline.agents.examples import Examples
from rocm_pipeline.agents.outcome import ChosenKernel, Operator
from rocm_pipeline.home import Home
from rocm_pipeline.integration.evidence import CheckRecord, OperatorEvidence
from rocm_pipeline.integration.examples import Tools, run_examples
from rocm_pipeline.integration.interpreter import torch_version
from rocm_pipeline.integration.job import Check
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.integration.package import OperatorPackage, generate
from rocm_pipeline.integration.verify import verify
from rocm_pipeline.lab.emulator import Emulator, TorchLibrary
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.harness_version import harness_sha256
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.resources.artefacts import Artefacts
from rocm_pipeline.targets.spec import Target
from rocm_pipeline.versions import package_sha256


@cache
def verification_version() -> str:
    """Return what a verdict on an operator depends on besides its package, as a short hash.

    Our own code and the installed PyTorch: a verdict made without PyTorch is no verdict with it.
    """
    parts = (harness_sha256(), torch_version(), package_sha256("rocm_pipeline.integration"))
    return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:16]


class HomeIntegration:
    """Operator packages, with a memory, so that the same package is judged once.

    The inputs that a package is judged on are drawn anew each time; without the memory a second
    look at the same operator would look like another operator to the stages after it.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known = Artefacts.open(home)

    def build(self, target: Target, kernel: ChosenKernel, operator: Operator) -> TorchOp:
        if operator.refused:
            return TorchOp(
                target=target.name,
                operator=operator,
                package=None,
                evidence=_no_package(target, kernel, operator.refused),
            )
        package = generate(target, kernel.candidate, operator.source)
        return TorchOp(
            target=target.name,
            operator=operator,
            package=package,
            evidence=self._judge(target, kernel, package),
        )

    def run_examples(
        self, target: Target, kernel: ChosenKernel, made: TorchOp, markdown: str
    ) -> Examples:
        """Run and compile the code of a document; the same document is judged once."""
        package = made.package
        about = "\n".join((target.name, package.sha256 if package else "", markdown))
        digest = hashlib.sha256(about.encode()).hexdigest()
        name = f"examples/{digest}-{verification_version()}"
        if self._known.has(name):
            return self._known.load(name, Examples)
        sandbox = Sandbox.detect()
        tools = Tools(
            sandbox=sandbox,
            libraries=lambda: self._libraries(target, kernel, sandbox),
            toolchain=lambda: Toolchain(sandbox, self._home.cache / "device"),
        )
        examples = run_examples(markdown, target, package, tools)
        if all(block.status is not Status.TIMEOUT for block in examples.blocks):
            self._known.save(name, examples)
        return examples

    def _judge(
        self, target: Target, kernel: ChosenKernel, package: OperatorPackage
    ) -> OperatorEvidence:
        name = f"operators/{package.sha256}-{verification_version()}"
        if self._known.has(name):
            return self._known.load(name, OperatorEvidence)
        sandbox = Sandbox.detect()
        evidence = verify(package, target, self._libraries(target, kernel, sandbox), sandbox)
        if evidence.status is not Status.TIMEOUT:  # that says as much of the machine's load
            self._known.save(name, evidence)
        return evidence

    def _libraries(self, target: Target, kernel: ChosenKernel, sandbox: Sandbox) -> TorchLibrary:
        emulator = Emulator(sandbox, self._home.cache / "emulator")
        candidate = kernel.candidate
        return emulator.library_for_torch(
            candidate.source, target.kernel_names(candidate.launch_plan)
        )


def _no_package(target: Target, kernel: ChosenKernel, reason: str) -> OperatorEvidence:
    """Return a failure: there is nothing to judge, whether or not PyTorch is installed."""
    message = f"no operator: {reason}"
    return OperatorEvidence(
        target=target.name,
        candidate=kernel.candidate.id,
        package_sha256="",
        seed=0,
        torch_version=torch_version(),
        checks=tuple(
            CheckRecord(
                check=check,
                status=Status.POLICY_VIOLATION if check is Check.POLICY else Status.NOT_RUN,
                message=message,
            )
            for check in Check
        ),
    )
