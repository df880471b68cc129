"""Models that Ollama's library offers, and which of them a machine has room for."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

GIB = 1 << 30
RUNTIME_BYTES = 1 << 30
"""Kept free for compute buffers and what the driver holds."""


class KnownModel(BaseModel):
    """A tag of the library. `gb` and `context` are as its page states them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    gb: float = Field(gt=0)
    """Size of the download, in 10^9 bytes; about what the weights take when loaded."""
    kv_bytes: int = Field(gt=0)
    """Bytes of cache that each token of context takes at 16 bits a value:
    2 * layers * key-value heads * head size * 2, from the published configuration."""
    context: int = Field(ge=512)
    """Tokens that the model can attend to at most."""

    @property
    def family(self) -> str:
        return self.name.partition(":")[0]

    def bytes_at(self, num_ctx: int) -> int:
        """Return the memory that it takes with a window of `num_ctx` tokens; an estimate."""
        return int(self.gb * 1e9) + self.kv_bytes * min(num_ctx, self.context) + RUNTIME_BYTES

    def fits(self, vram_gib: float, num_ctx: int) -> bool:
        return self.bytes_at(num_ctx) <= vram_gib * GIB


def means(entry: str, name: str) -> bool:
    """Say whether an entry of a list of models means `name`: itself, or every tag of a model."""
    return name in (entry, f"{entry}:latest") or name.startswith(f"{entry}:")


def best_fit(
    entry: str, catalogue: Sequence[KnownModel], vram_gib: float, num_ctx: int
) -> KnownModel | None:
    """Return the largest model that `entry` means and that fits; None where none does."""
    fitting = [
        model for model in catalogue if means(entry, model.name) and model.fits(vram_gib, num_ctx)
    ]
    return max(fitting, key=lambda model: model.gb, default=None)
