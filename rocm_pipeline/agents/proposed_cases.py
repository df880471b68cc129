"""Cases that a testing agent proposes: which are taken, and why others are not."""

from pydantic import BaseModel, ValidationError

from rocm_pipeline.agents.roles import CASES_FILE
from rocm_pipeline.lab.cases import within_domain
from rocm_pipeline.targets.spec import Case, Target

MAX_AGENT_CASES = 12


class _CaseList(BaseModel):
    cases: tuple[Case, ...]


def read_cases(target: Target, text: str) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """Return the cases of an agent's file, and why others are not taken.

    A case only ever adds to what a kernel is judged by, so one that is there already is refused:
    it would count as testing and test nothing.
    """
    try:
        proposed = _CaseList.model_validate_json(f'{{"cases": {text}}}').cases
    except ValidationError as error:
        return (), (f"{CASES_FILE}: {error.errors()[0]['msg']}",)
    kept: dict[str, Case] = {}
    refused: list[str] = []
    own = {case.name for case in target.public_cases}
    for case in proposed:
        reason = within_domain(target, case)
        if reason:
            refused.append(f"{case.name}: {reason}")
        elif case.name in own or case.name in kept:
            refused.append(f"{case.name}: tests nothing new, the case is there already")
        elif len(kept) < MAX_AGENT_CASES:
            kept[case.name] = case
        else:
            refused.append(f"{case.name}: more than {MAX_AGENT_CASES} cases")
    return tuple(kept.values()), tuple(refused)
