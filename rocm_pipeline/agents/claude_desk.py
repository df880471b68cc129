"""Claude at the desk of a kernel developer, for the experiment that measures what that costs.

It is told what the agents are told, in the same words, and answers in the same form. What does not
change from round to round stands in front and is cached, as anybody would do who pays for it.
"""

from rocm_pipeline.agents.brief import Brief
from rocm_pipeline.agents.desk import Answer
from rocm_pipeline.agents.outcome import Exchange
from rocm_pipeline.agents.parser import ReplyError, parse
from rocm_pipeline.agents.prompts import Prompt, render
from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.agents.roles import EXPECTED_FILES, allowed_files
from rocm_pipeline.planning.claude.call import (
    Block,
    Call,
    Claude,
    Purpose,
    Reason,
    UnansweredError,
)
from rocm_pipeline.planning.plan import Role
from rocm_pipeline.records.prompt import prompt_sha256
from rocm_pipeline.records.records import Records

HOST = "claude"
UNUSABLE = frozenset({Reason.REFUSED, Reason.TRUNCATED, Reason.INVALID})
"""An answer came and is paid, but is none: the round is lost. Anything else ends the work."""
FIRST_ROUND = "This is the first round: answer the question above."
_FORM = (
    "Your answer is filled into a form instead of written under headings: each whole file with its "
    "path in `files` ({files}), and the other sections in `explanation`, `confidence` (0 to 1) and "
    "`limitations`."
)
_OPENING = "\n\n<<<DATA "


class ClaudeDesk:
    """Puts briefs to Claude; has the face of `Desk`, and keeps the replies in `records`."""

    def __init__(
        self, claude: Claude, records: Records, *, run_id: str, repeat: int, max_tokens: int
    ) -> None:
        """`repeat` stands in every prompt: equal calls would be answered from the records."""
        self._claude = claude
        self._records = records
        self._run_id = run_id
        self._repeat = repeat
        self._max_tokens = max_tokens

    def ask(self, brief: Brief, *, plan_id: str, round: int = 1) -> Answer:
        """Ask once; UnansweredError when there was no answer at all, not even an unusable one."""
        call = self._call(brief, plan_id, round)
        try:
            got = self._claude.ask(call)
        except UnansweredError as error:
            if error.reason not in UNUSABLE:
                raise
            refused = f"the answer cannot be used: {error}"
            return self._answer(brief, call, round, error.attempt_id or "", "", None, refused)
        reply, refused = _read(got.value, brief.task.role)
        return self._answer(brief, call, round, got.attempt_id, got.model, reply, refused)

    def _call(self, brief: Brief, plan_id: str, round: int) -> Call[Reply]:
        role = brief.task.role
        first = render(role, brief.model_copy(update={"feedback": (), "best": None}))
        names = ", ".join(file.path for file in EXPECTED_FILES[role])
        question = _what_is_new(render(role, brief)) if brief.feedback else FIRST_ROUND
        return Call(
            purpose=Purpose.BASELINE,
            targets=(brief.target.name,),
            system=(
                Block(f"{first.system}\n\n{_FORM.format(files=names)}", cached=True),
                Block(first.user, cached=True),
            ),
            prompt=f"{question}\n\nRun {self._repeat} of the experiment.",
            form=Reply,
            max_tokens=self._max_tokens,
            plan_id=plan_id,
            run_id=self._run_id,
            round=round,
        )

    def _answer(
        self,
        brief: Brief,
        call: Call[Reply],
        round: int,
        attempt_id: str,
        model: str,
        reply: Reply | None,
        refused: str,
    ) -> Answer:
        reply_id = self._records.save_reply(
            attempt_id,
            plan_id=call.plan_id or "",
            task_id=brief.task.id,
            target=brief.target.name,
            document=reply.model_dump_json() if reply else refused,
        )
        exchange = Exchange(
            task_id=brief.task.id,
            role=brief.task.role.value,
            round=round,
            attempt_id=attempt_id,
            reply_id=reply_id,
            model=model,
            model_digest="",
            host=HOST,
            prompt_sha256=prompt_sha256("\n".join(b.text for b in call.system), call.prompt),
            seed=0,
            tokens_in=0,
            tokens_out=0,
        )
        return Answer(exchange, reply, refused)


def _read(value: Reply, role: Role) -> tuple[Reply | None, str]:
    """Hold the files against the rules that an agent's are held against."""
    try:
        return parse(value.model_dump_json(), allowed=allowed_files(role)), ""
    except ReplyError as error:
        return None, str(error)


def _what_is_new(prompt: Prompt) -> str:
    """Return the question of a later round without the blocks that the first one holds already."""
    opening, _, rest = prompt.user.partition(_OPENING)
    marker = rest[: rest.index(" ")]
    return opening + prompt.user[prompt.user.index(f"{_OPENING}{marker} FEEDBACK\n") :]
