"""A prompt has one hash: in the journal, in the records of an exchange and in the Store."""

from pathlib import Path

from rocm_pipeline.agents.brief import Brief
from rocm_pipeline.agents.prompts import render
from rocm_pipeline.planning.plan import TaskType
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.records.journal import Intent
from rocm_pipeline.records.prompt import prompt_json, prompt_sha256
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow
from tests.fakes.values import a_target


def test_an_agent_s_prompt_and_the_journal_s_have_one_hash(tmp_path: Path) -> None:
    target = a_target()
    task = make_plan(target, "c0ffee", ()).tasks_for(TaskType.CODE_OPTIMIZATION)[0]
    prompt = render(task.role, Brief(target=target, task=task))
    records = Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))
    attempt_id = records.journal.intent(
        Intent(
            provider="ollama",
            model="m",
            model_digest="d",
            system=prompt.system,
            prompt=prompt.user,
            host="h",
            target=target.name,
            purpose="code",
            role=task.role.value,
        )
    )
    attempt = records.database.get(AttemptRow, attempt_id)
    assert attempt is not None
    assert attempt.prompt_sha256 == prompt.sha256
    assert records.store.get_text(prompt.sha256) == prompt_json(prompt.system, prompt.user)
    records.close()


def test_the_two_messages_are_not_interchangeable() -> None:
    assert prompt_sha256("a", "b") != prompt_sha256("b", "a")
    assert prompt_sha256("ab", "") != prompt_sha256("a", "b")
