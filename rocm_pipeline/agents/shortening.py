"""A brief that fits a model's window: what is left out first, and what never is."""

from collections.abc import Callable

from rocm_pipeline.agents.brief import Brief

CHARACTERS_PER_TOKEN = 3.0
"""Fewer than prompts of code have, so that what fits by this count fits."""


def room_of(num_ctx: int, max_tokens: int) -> int:
    """Return the characters that a prompt may have in a window that must hold the answer too."""
    return max(0, int((num_ctx - max_tokens) * CHARACTERS_PER_TOKEN))


def shorten(
    brief: Brief, length_of: Callable[[Brief], int], room: int
) -> tuple[Brief, tuple[str, ...]]:
    """Return a brief whose prompt has at most `room` characters, and what it lacks, in words.

    Left out one after the other: repository files, longest first (equal ones by path), since the
    reference and the baseline say what to compute; then what the agent itself wrote before; then
    the rounds before the latest, oldest first. Task, target, baseline, best kernel, latest round
    and hint stay, even if that is too long for the window: the server then refuses the prompt, and
    nothing was cut in silence.
    """
    left_out: list[str] = []
    while length_of(brief) > room:
        if brief.files:
            theirs = brief.files.keys() & set(brief.task.context.files)
            path = min(theirs or brief.files, key=lambda name: (-len(brief.files[name]), name))
            files = {name: text for name, text in brief.files.items() if name != path}
            brief = brief.model_copy(update={"files": files})
            left_out.append(f"file {path}")
        elif len(brief.feedback) > 1:
            left_out.append(f"round {brief.feedback[0].round}")
            brief = brief.model_copy(update={"feedback": brief.feedback[1:]})
        else:
            break
    return brief, tuple(left_out)
