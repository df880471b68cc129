"""How long a text is in tokens, well enough to keep a budget without asking a server."""

CHARACTERS_PER_TOKEN = 3
"""Source code and JSON; prose has more. A guess on the safe side: budgets are upper bounds."""


def about_tokens(text: str) -> int:
    """Return an upper guess of the tokens of `text`, for budgets alone and never for a bill."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)
