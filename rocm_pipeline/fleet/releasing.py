"""A slot that is to be given back, and what its answer taught."""

from dataclasses import dataclass

from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.health import Finished, learn
from rocm_pipeline.fleet.waiting import Lease
from rocm_pipeline.records.leases import Board


@dataclass(eq=False)
class Released:
    """Waits for the next decision, which gives it back together with others that ended by then."""

    lease: Lease
    call: Finished | None
    """How its call ended, to learn from."""
    charged_seconds: float
    """The server may go on with what we no longer read: for so long the slot stays taken."""
    board: Board | None = None
    """Of the transaction that does it."""

    def end(self, board: Board, back_off: BackOff) -> None:
        """Give it back in this transaction."""
        self.board = board
        ticket = board.running.get(self.lease.ticket_id)
        if self.charged_seconds > 0 and ticket is not None:
            board.charge(ticket, self.charged_seconds)
        else:
            board.end_ticket(self.lease.ticket_id)
        if self.call is not None:
            learn(board, self.call, back_off)

    def failed(self) -> None:
        """Have the next transaction do it, without what may be the reason for the failure."""
        self.board = self.call = None
