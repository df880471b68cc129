"""What came of the operator task: the module an agent wrote, its package and the verdict."""

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.agents.outcome import Operator
from rocm_pipeline.integration.evidence import OperatorEvidence
from rocm_pipeline.integration.package import OperatorPackage


class TorchOp(BaseModel):
    """The PyTorch operator of a target; `package` is None when no module came of the task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    operator: Operator
    package: OperatorPackage | None
    evidence: OperatorEvidence
