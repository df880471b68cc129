"""Writes a Reply in the form that every agent is asked for."""

from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.agents.roles import EXPECTED_FILES
from rocm_pipeline.quoting.blocks import fence_for

_LANGUAGES = {file.path: file.language for role in EXPECTED_FILES.values() for file in role}


def as_markdown(reply: Reply) -> str:
    """Return the reply with its headings and fenced blocks."""
    parts: list[str] = []
    for file in reply.files:
        fence = fence_for(file.text)
        text = file.text.rstrip("\n")
        parts.append(f"### FILE: {file.path}\n{fence}{_LANGUAGES[file.path]}\n{text}\n{fence}\n")
    parts.append(f"### EXPLANATION\n{reply.explanation}\n")
    if reply.confidence is not None:
        parts.append(f"### CONFIDENCE\n{reply.confidence:g}\n")
    parts.append("### LIMITATIONS\n" + "\n".join(f"- {line}" for line in reply.limitations) + "\n")
    return "\n".join(parts)
