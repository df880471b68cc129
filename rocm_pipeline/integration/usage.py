"""How the operator of a package is called, as a code block for the documentation."""

from rocm_pipeline.integration.package import NAMESPACE, OperatorPackage, parameters, signature
from rocm_pipeline.targets.spec import Target


def usage(target: Target, package: OperatorPackage | None) -> str:
    """Return Markdown; a sentence instead of code when there is no package."""
    if package is None:
        return "There is no operator package for this kernel."
    outputs = ", ".join(target.outputs)
    return "\n".join(
        [
            "```python",
            f"from {package.folder} import {target.name}  # torch.ops.{NAMESPACE}.{target.name}",
            "",
            f"# {signature(target)}",
            f"{outputs} = {target.name}({', '.join(parameters(target))})",
            "```",
        ]
    )
