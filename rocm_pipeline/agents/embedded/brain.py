"""Answers a question by role, with the rules that stand in for a model."""

from collections.abc import Callable, Mapping

from rocm_pipeline.agents.embedded.analysis import write_analysis
from rocm_pipeline.agents.embedded.cases import propose_cases
from rocm_pipeline.agents.embedded.document import write_document
from rocm_pipeline.agents.embedded.kernels import write_kernel
from rocm_pipeline.agents.embedded.model import NOT_A_MODEL
from rocm_pipeline.agents.embedded.operator import write_operator
from rocm_pipeline.agents.embedded.question import Question
from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.planning.plan import Role

_BY_ROLE: Mapping[Role, Callable[[Question, int], Reply]] = {
    Role.KERNEL_DEV: write_kernel,
    Role.TESTER: propose_cases,
    Role.PROFILER: write_analysis,
    Role.DOCS_WRITER: write_document,
    Role.PYTORCH_DEV: write_operator,
}


def answer(question: Question | None, seed: int) -> Reply:
    """Return the reply to `question`, None being a prompt that asks nothing of this project's.

    Equal questions and seeds give equal replies.
    """
    if question is None:
        reply = Reply(
            explanation="I answer only the task prompts of rocm-pipeline, and this is none.",
            limitations=("Nothing was done.",),
        )
    else:
        reply = _BY_ROLE[question.task.role](question, seed)
    return reply.model_copy(update={"limitations": (*reply.limitations, NOT_A_MODEL)})
