"""What a server is asked besides answers: which models it has loaded, and to fetch one."""

from collections.abc import Callable
from dataclasses import dataclass

from rocm_pipeline.fleet import transport
from rocm_pipeline.fleet.transport import Client, Deadlines

PULL_STALL_SECONDS = 600.0
"""A server is silent while it checks the sum of what it fetched, for minutes with large models."""
_PULL_SECONDS = 48 * 3600.0


@dataclass(frozen=True)
class Loaded:
    """A model in the memory of a server."""

    name: str
    digest: str
    bytes: int
    bytes_vram: int
    context: int
    """Tokens of its window; 0 where the server does not say."""

    @property
    def in_vram(self) -> bool:
        """Whether none of it runs on the CPU."""
        return self.bytes_vram >= self.bytes


@dataclass(frozen=True)
class PullProgress:
    """One line of the server while it fetches; bytes are those of the part named `digest`."""

    status: str
    digest: str
    completed: int
    total: int


def loaded(url: str, deadlines: Deadlines) -> list[Loaded]:
    """Return what is in memory; ConnectionError, in one line, when it does not answer so."""
    return transport.ask(url, deadlines, _loaded, within=deadlines.connect * 2)


def unload(url: str, model: str, deadlines: Deadlines) -> None:
    """Take a model out of memory; ConnectionError, in one line, when the server does not."""

    async def free(client: Client) -> None:
        await client.generate(model, keep_alive=0)

    transport.ask(url, deadlines, free, within=deadlines.load + 2 * deadlines.connect)


def pull(url: str, model: str, on_progress: Callable[[PullProgress], None]) -> None:
    """Let the server fetch `model` and wait for the end.

    Raises ConnectionError, in one line: unknown model, no room, broken off, nothing for
    PULL_STALL_SECONDS. What was fetched stays there, and the next pull goes on from it.
    """

    async def fetch(client: Client) -> None:
        status = ""
        async for line in await client.pull(model, stream=True):
            status = line.status or status
            on_progress(
                PullProgress(status, line.digest or "", line.completed or 0, line.total or 0)
            )
        if status != "success":
            raise ConnectionAbortedError(status)

    patience = Deadlines(load=0.0, first_token=PULL_STALL_SECONDS)
    try:
        transport.ask(url, patience, fetch, within=_PULL_SECONDS)
    except ConnectionError as error:
        if isinstance(error.__cause__, ConnectionAbortedError):
            last = f"after '{error.__cause__}'" if str(error.__cause__) else "at once"
            raise ConnectionError(f"it stopped {last} without success") from error
        raise


async def _loaded(client: Client) -> list[Loaded]:
    listing = await client.ps()
    return [
        Loaded(
            name=model.model or model.name or "",
            digest=model.digest or "",
            bytes=int(model.size or 0),
            bytes_vram=int(model.size_vram or 0),
            context=model.context_length or 0,
        )
        for model in listing.models
    ]
