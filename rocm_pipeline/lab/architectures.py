"""Facts about GPU architectures, each with its source, from `data/architectures.yaml`."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field


class Fact(BaseModel):
    """One figure and where it comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: int | float | str
    source: str
    uncertain: bool = False


class Architecture(BaseModel):
    """One architecture on one representative product.

    A block runs inside one *pool*: a compute unit on CDNA, a work-group processor of two compute
    units on RDNA. Rates are for one compute unit unless said otherwise; `provenance` holds the
    source of every figure.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    family: str
    product: str
    wave: int
    compute_units: int = Field(gt=0)
    compute_units_per_pool: int = Field(gt=0)
    simds_per_compute_unit: int = Field(gt=0)
    max_waves_per_simd: int = Field(gt=0)
    vgprs_per_lane: int = Field(gt=0)
    """Registers of one SIMD, divided among its waves (of `wave` lanes)."""
    vgpr_granule: int = Field(gt=0)
    max_blocks_per_pool: int = Field(gt=0)
    """Blocks of more than one wave, which need a barrier slot."""
    lds_per_pool: int = Field(gt=0)
    lds_per_block: int = Field(gt=0)
    lds_granule: int = Field(gt=0)
    clock_mhz: float = Field(gt=0)
    """Highest engine clock; sustained clocks are lower."""
    memory_gb_per_s: float = Field(gt=0)
    memory_latency_ns: float = Field(gt=0)
    l2_bytes: int = Field(gt=0)
    """Of the whole device."""
    l2_domains: int = Field(gt=0)
    """Separate L2 caches (one per XCD); data read in two domains is held twice."""
    l2_bytes_per_clock: float = Field(gt=0)
    """Of the whole device."""
    l2_latency_ns: float = Field(gt=0)
    l2_line_bytes: int = Field(gt=0)
    l2_ways: int = Field(gt=0)
    infinity_cache_bytes: int = Field(ge=0)
    infinity_cache_gb_per_s: float = Field(ge=0)
    l1_bytes_per_clock: float = Field(gt=0)
    l1_bytes: int = Field(gt=0)
    """Of one compute unit (RDNA: its L0)."""
    l1_line_bytes: int = Field(gt=0)
    lds_bytes_per_clock: float = Field(gt=0)
    lds_latency_clocks: float = Field(gt=0)
    valu_lanes_per_clock: int = Field(gt=0)
    fp32_per_lane: int = Field(gt=0)
    """fp32 operations a lane can do at once by packed or dual-issued instructions."""
    fp16_per_lane: int = Field(gt=0)
    fp64_lanes_per_clock: int = Field(gt=0)
    transcendental_lanes_per_clock: int = Field(gt=0)
    matrix_fp16_flops_per_clock: int = Field(ge=0)
    """Zero when there is no matrix instruction."""
    provenance: Mapping[str, Fact] = Field(repr=False)

    @property
    def pools(self) -> int:
        return self.compute_units // self.compute_units_per_pool

    @property
    def simds_per_pool(self) -> int:
        return self.compute_units_per_pool * self.simds_per_compute_unit


def architecture(name: str) -> Architecture:
    """Return the facts about a gfx target; `KeyError` for one that is not described."""
    return _all()[name]


@cache
def _all() -> dict[str, Architecture]:
    text = files("rocm_pipeline.lab").joinpath("data/architectures.yaml").read_text("utf-8")
    document = yaml.safe_load(text)
    sources: dict[str, str] = document["sources"]
    return {name: _read(name, facts, sources) for name, facts in document["architectures"].items()}


def _read(name: str, entries: Mapping[str, list[object]], sources: dict[str, str]) -> Architecture:
    facts = {key: _fact(entry, sources) for key, entry in entries.items()}
    values = {key: fact.value for key, fact in facts.items()}
    return Architecture.model_validate({"name": name, "provenance": facts, **values})


def _fact(entry: list[object], sources: dict[str, str]) -> Fact:
    value, source, *mark = entry
    return Fact.model_validate(
        {"value": value, "source": sources[str(source)], "uncertain": mark == ["uncertain"]}
    )
