"""Schedules of the family `attention_forward`: softmax(scale * Q K^T) V, causal or not."""

from dataclasses import dataclass

from rocm_pipeline.agents.schedules.model import Cue, Family, Move, Rendered, Schedule
from rocm_pipeline.agents.schedules.rendering import C_TYPES, fill, has_shape
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.launch_plan import Launch, LaunchPlan
from rocm_pipeline.targets.spec import Target

_LDS_BYTES = 65536
"""The most that one block may have on every architecture."""
_HEADS = {32, 64, 128}
_WIDE_HEAD = 128

_KNOBS = {
    # work-items that share a query
    "lanes": (4, 8, 16, 32),
    # groups of `lanes` work-items in a block
    "groups": (4, 8, 16, 32),
    # queries of one group; half of them for heads of 128
    "rows": (1, 2, 4, 8),
    # keys of a tile, fewer where LDS cannot hold them
    "keys": (16, 32, 64, 128),
    # 16 bytes after each row in LDS, so that rows start in different banks
    "pad": (0, 1),
    # keys and values take turns in one LDS buffer
    "share": (0, 1),
    # what LDS holds as fp32: 0 nothing of an fp16 input, 1 the queries, 2 keys and values too
    "single": (0, 1, 2),
    # steps of the inner products unrolled
    "unroll": (1, 2, 4),
}


@dataclass(frozen=True)
class _Instance:
    """One kernel: a head size and element type with the tile that fits LDS."""

    name: str
    type: str
    head: int
    rows: int
    keys: int


def _fits(target: Target) -> bool:
    rows = ("heads", "seq", "head_dim")
    return (
        has_shape(
            target,
            symbols=(*rows, "causal"),
            tensors=dict.fromkeys("qkvo", rows),
            scalars=("scale",),
        )
        and set(target.symbols["head_dim"].choices or ()) <= _HEADS
        and target.symbols["head_dim"].choices is not None
    )


def _rows_for(schedule: Schedule, head: int) -> int:
    return max(1, schedule["rows"] // 2) if head == _WIDE_HEAD else schedule["rows"]


def _lds_bytes(schedule: Schedule, dtype: DType, head: int, keys: int) -> int:
    queries = schedule["groups"] * _rows_for(schedule, head)
    query_size = 4 if schedule["single"] >= 1 else dtype.itemsize
    key_size = 4 if schedule["single"] >= 2 else dtype.itemsize
    padding = 16 if schedule["pad"] else 0
    values = 0 if schedule["share"] else keys * head * key_size
    return (
        queries * (head * query_size + padding)
        + keys * (head * key_size + padding)
        + values
        + queries * (4 * keys + padding)
    )


def _keys_for(schedule: Schedule, dtype: DType, head: int) -> int | None:
    """Return the most keys up to the schedule's that LDS holds beside the queries."""
    keys = schedule["keys"]
    while keys >= schedule["lanes"]:
        if _lds_bytes(schedule, dtype, head, keys) <= _LDS_BYTES:
            return keys
        keys //= 2
    return None


def _instances(target: Target, schedule: Schedule) -> list[_Instance] | None:
    """Return every kernel of a schedule, None when one of them cannot be made."""
    instances: list[_Instance] = []
    for head in target.symbols["head_dim"].choices or ():
        for dtype in target.dtypes["io"]:
            keys = _keys_for(schedule, dtype, head)
            if keys is None:
                return None
            name = f"{target.name}_{dtype.suffix}_{head}"
            rows = _rows_for(schedule, head)
            instances.append(_Instance(name, C_TYPES[dtype], head, rows, keys))
    return instances


def _legal(target: Target, schedule: Schedule) -> bool:
    block = schedule["lanes"] * schedule["groups"]
    return (
        64 <= block <= 512
        and schedule["keys"] >= schedule["lanes"]
        # scores and sums of a work-item, in registers
        and schedule["rows"] * schedule["keys"] // schedule["lanes"] <= 64
        and schedule["rows"] * 64 // schedule["lanes"] <= 64
        and any(made.keys == schedule["keys"] for made in _instances(target, schedule) or ())
    )


def _render(target: Target, schedule: Schedule) -> Rendered:
    instances = _instances(target, schedule)
    if instances is None:
        raise ValueError(f"{schedule} does not fit LDS")
    groups, rows = schedule["groups"], schedule["rows"]
    queries = f"{groups} * max(1, {rows} * 64 // max(64, head_dim))"
    launch = Launch(
        kernel=f"{target.name}_{{io}}_{{head_dim}}",
        grid=(f"ceildiv(seq, {queries})", "heads", "1"),
        block=(str(schedule["lanes"] * groups), "1", "1"),
        args=("q", "k", "v", "o", "seq", "causal", "scale"),
    )
    values = {**schedule, "kernels": instances}
    return Rendered(fill("attention_forward.hip.j2", values), LaunchPlan(launches=(launch,)))


_MOVES = (
    Move(
        frozenset({Cue.SPILLS}),
        {"rows": -1},
        "give a work-item fewer queries",
    ),
    Move(
        frozenset({Cue.SPILLS, Cue.TOO_LARGE}),
        {"keys": -1},
        "take smaller tiles of keys",
    ),
    Move(
        frozenset({Cue.BANK_CONFLICTS, Cue.LDS}),
        {"pad": 1},
        "pad the rows in LDS, so that they start in different banks",
    ),
    Move(
        frozenset({Cue.MEMORY, Cue.CACHE, Cue.LDS, Cue.ARITHMETIC}),
        {"rows": 1},
        "give a work-item more queries, so that a key read from LDS is used more often",
    ),
    Move(
        frozenset({Cue.LOW_OCCUPANCY, Cue.LATENCY}),
        {"keys": -1},
        "take smaller tiles of keys, so that more blocks fit LDS",
    ),
    Move(
        frozenset({Cue.LOW_OCCUPANCY, Cue.TOO_LARGE}),
        {"share": 1},
        "let keys and values take turns in LDS, so that more blocks fit",
    ),
    Move(
        frozenset({Cue.ARITHMETIC}),
        {"single": 1},
        "convert to single precision once, on the way into LDS, instead of at every use",
    ),
    Move(
        frozenset({Cue.LOW_OCCUPANCY, Cue.TOO_LARGE}),
        {"single": -1},
        "keep the element type of the input in LDS, so that more blocks fit",
    ),
    Move(
        frozenset({Cue.LATENCY, Cue.ARITHMETIC}),
        {"unroll": 1},
        "unroll the inner products further",
    ),
    Move(
        frozenset({Cue.LDS, Cue.ARITHMETIC}),
        {"keys": 1},
        "take larger tiles of keys, so that a query read from LDS meets more of them",
    ),
    Move(
        frozenset({Cue.MEMORY, Cue.CACHE}),
        {"groups": 1},
        "let more queries of a block share the keys",
    ),
    Move(
        frozenset({Cue.LAUNCH, Cue.LOW_OCCUPANCY}),
        {"groups": -1},
        "use smaller blocks, of which more fit",
    ),
    Move(
        frozenset({Cue.LDS}),
        {"lanes": -1, "groups": 1},
        "share a query among fewer work-items, so that each reads it for more keys",
    ),
)

_PLAIN = {"lanes": 16, "pad": 0, "share": 0, "single": 0, "unroll": 1}

FAMILY = Family(
    name="attention_forward",
    knobs=_KNOBS,
    legal=_legal,
    fits=_fits,
    starts={
        "wide": {"groups": 16, "rows": 4, "keys": 32, **_PLAIN},
        "lean": {"groups": 8, "rows": 1, "keys": 16, **_PLAIN},
    },
    moves=_MOVES,
    render=_render,
    limitations=(
        "No matrix instructions: it runs on every architecture, slower than one that uses them.",
        "Only the head sizes that the target lists.",
    ),
)
