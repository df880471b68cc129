"""The one spelling of a prompt: what the journal stores, and the hash it is known by everywhere."""

from rocm_pipeline.records.store import canonical_json, sha256


def prompt_json(system: str, prompt: str) -> str:
    """Return the two messages of a request as the text that the Store holds."""
    return canonical_json({"system": system, "prompt": prompt})


def prompt_sha256(system: str, prompt: str) -> str:
    """Return the hash of a prompt: the name of its blob in the Store."""
    return sha256(prompt_json(system, prompt).encode())
