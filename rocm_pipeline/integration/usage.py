"""How the operator of a package is imported and called, as a block for the documentation."""

from rocm_pipeline.integration.package import NAMESPACE, OperatorPackage, signature
from rocm_pipeline.targets.spec import Target


def usage(target: Target, package: OperatorPackage | None) -> str:
    """Return Markdown; a sentence instead of code when there is no package.

    It is no Python: examples are the agent's to write, and are run.
    """
    if package is None:
        return "There is no operator package for this kernel."
    return "\n".join(
        [
            "```text",
            f"from {package.folder} import {target.name}  # torch.ops.{NAMESPACE}.{target.name}",
            signature(target),
            "```",
        ]
    )
