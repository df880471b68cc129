"""A stand-in of Claude's Messages, count_tokens and Message Batches endpoints on the loopback.

`serving(behaviour)` starts it; a behaviour says for each request how it ends (`endings.py`). It
counts tokens by a fixed rule (`request.py`), keeps a prompt cache (`cache.py`) and its own account
of what it charged (`tally.py`), which tests compare with the project's ledger.
"""

from tests.standins.claude.endings import (
    Accepts,
    Behaviour,
    Cancels,
    Ending,
    Expires,
    Fails,
    Lost,
    Refuses,
    Says,
    Then,
    UsesTool,
    in_turn,
    says,
    slow,
)
from tests.standins.claude.request import Request, count
from tests.standins.claude.server import KEY, StandIn, serving
from tests.standins.claude.tally import Charge, Charged, Tally

__all__ = [
    "KEY",
    "Accepts",
    "Behaviour",
    "Cancels",
    "Charge",
    "Charged",
    "Ending",
    "Expires",
    "Fails",
    "Lost",
    "Refuses",
    "Request",
    "Says",
    "StandIn",
    "Tally",
    "Then",
    "UsesTool",
    "count",
    "in_turn",
    "says",
    "serving",
    "slow",
]
