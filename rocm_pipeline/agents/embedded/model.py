"""What the embedded agent is: its name, its digest, and the statement that it is no model."""

import hashlib
from functools import cache
from pathlib import Path

MODEL = "rocm-pipeline/templates:latest"
FAMILY = "templates"
NOT_A_MODEL = (
    "This answer comes from the embedded template agent, which is no language model: it fills in "
    "parameterised templates and chooses their parameters by rules."
)
CONTEXT_LENGTH = 262_144
"""Tokens, by the rule of `generation`; a longer prompt is refused, never cut."""

_AGENTS = Path(__file__).resolve().parents[1]
_PACKAGES = ("embedded", "schedules")
_SUFFIXES = (".py", ".j2", ".hip")
_SHARED = ("prompts.py", "round_note.py", "roles.py")
"""Modules by which it reads prompts; a change there can change its answers."""


@cache
def model_digest() -> str:
    """Return the sha256 of the agent's own code and templates, as 64 hexadecimal digits."""
    return hashlib.sha256(b"".join(_described(path) for path in _code())).hexdigest()


@cache
def code_size() -> int:
    """Return the bytes of the agent's own code and templates."""
    return sum(len(path.read_bytes()) for path in _code())


def is_served(name: str) -> bool:
    """Return whether `name` means the embedded agent; like Ollama, no tag means `latest`."""
    return (name if ":" in name else f"{name}:latest") == MODEL


def _described(path: Path) -> bytes:
    content = path.read_bytes()
    return f"{path.name} {len(content)}\n".encode() + content


def _code() -> list[Path]:
    found = [_AGENTS / name for name in _SHARED]
    found.extend(sorted((_AGENTS.parent / "quoting").glob("*.py")))
    for package in _PACKAGES:
        folder = _AGENTS / package
        found.extend(path for path in sorted(folder.rglob("*")) if path.suffix in _SUFFIXES)
    return found
