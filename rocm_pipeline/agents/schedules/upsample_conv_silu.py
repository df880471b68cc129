"""Schedules of the family `upsample_conv_silu`: SiLU(conv3x3(nearest upsample 2x) + bias), NCHW."""

from rocm_pipeline.agents.schedules.model import Cue, Family, Move, Rendered, Schedule
from rocm_pipeline.agents.schedules.rendering import element_types, fill, has_shape
from rocm_pipeline.targets.launch_plan import Launch, LaunchPlan, Workspace
from rocm_pipeline.targets.spec import Target

_LDS_BYTES = 65536
_PREPARE_BLOCK = 64

_KNOBS = {
    # small pixels of a block, across; one work-item each
    "tile_width": (8, 16, 32, 64),
    # work-items of a block, down
    "tile_rows": (1, 2, 4, 8, 16),
    # small pixels of a work-item, one below the other
    "pixels": (1, 2, 4),
    # output channels of a work-item
    "channels": (1, 2, 4, 8, 16),
    # input channels in LDS at a time
    "stage": (1, 2, 4, 8, 16),
    # four 2x2 convolutions with summed taps instead of one 3x3
    "phases": (0, 1),
    # a first launch puts the taps in order, as fp32, and they are read as scalars where they are
    # needed; otherwise each block does, into LDS
    "prepare": (0, 1),
}


def _fits(target: Target) -> bool:
    return has_shape(
        target,
        symbols=("batch", "c_in", "c_out", "height", "width"),
        tensors={
            "x": ("batch", "c_in", "height", "width"),
            "weight": ("c_out", "c_in", "3", "3"),
            "bias": ("c_out",),
            "y": ("batch", "c_out", "2 * height", "2 * width"),
        },
    )


def _taps(schedule: Schedule) -> int:
    return 16 if schedule["phases"] else 9


def _lds_bytes(schedule: Schedule) -> int:
    plane = (schedule["tile_rows"] * schedule["pixels"] + 2) * (schedule["tile_width"] + 2)
    taps = 0 if schedule["prepare"] else schedule["channels"] * _taps(schedule)
    return 4 * schedule["stage"] * (plane + taps)


def _legal(_target: Target, schedule: Schedule) -> bool:
    block = schedule["tile_width"] * schedule["tile_rows"]
    return (
        64 <= block <= 512
        # sums of a work-item, in registers
        and 4 * schedule["pixels"] * schedule["channels"] <= 128
        and _lds_bytes(schedule) <= _LDS_BYTES
    )


def _render(target: Target, schedule: Schedule) -> Rendered:
    channels = schedule["channels"]
    groups = f"ceildiv(c_out, {channels})"
    height = schedule["tile_rows"] * schedule["pixels"]
    weights = "weights" if schedule["prepare"] else "weight"
    main = Launch(
        kernel=f"{target.name}_{{io}}",
        grid=(
            f"ceildiv(width, {schedule['tile_width']})",
            f"ceildiv(height, {height})",
            f"batch * {groups}",
        ),
        block=(str(schedule["tile_width"]), str(schedule["tile_rows"]), "1"),
        args=("x", weights, "bias", "y", "c_in", "c_out", "height", "width"),
    )
    values = {
        **schedule,
        "kernel": target.name,
        "types": element_types(target, "io"),
        "prepare_block": _PREPARE_BLOCK,
    }
    source = fill("upsample_conv_silu.hip.j2", values)
    if not schedule["prepare"]:
        return Rendered(source, LaunchPlan(launches=(main,)))
    prepare = Launch(
        kernel=f"{target.name}_prepare_{{io}}",
        grid=(f"ceildiv({groups} * {channels} * c_in, {_PREPARE_BLOCK})", "1", "1"),
        block=(str(_PREPARE_BLOCK), "1", "1"),
        args=("weight", "weights", "c_in", "c_out"),
    )
    workspace = Workspace(
        name="weights", dtype="float32", shape=(groups, "c_in", str(channels), str(_taps(schedule)))
    )
    return Rendered(source, LaunchPlan(launches=(prepare, main), workspace=(workspace,)))


_MOVES = (
    Move(
        frozenset({Cue.SPILLS}),
        {"channels": -1},
        "give a work-item fewer output channels",
    ),
    Move(
        frozenset({Cue.TOO_LARGE}),
        {"stage": -1},
        "stage fewer input channels in LDS",
    ),
    Move(
        frozenset({Cue.ARITHMETIC, Cue.LDS, Cue.CACHE, Cue.LATENCY}),
        {"phases": 1},
        "split the outputs into phases, each a smaller convolution with summed taps",
    ),
    Move(
        frozenset({Cue.LDS, Cue.CACHE, Cue.LATENCY, Cue.ARITHMETIC}),
        {"prepare": 1},
        "put the taps in order in a launch of their own, then read them straight from there",
    ),
    Move(
        frozenset({Cue.MEMORY, Cue.CACHE, Cue.LDS, Cue.ARITHMETIC}),
        {"channels": 1},
        "give a work-item more output channels, which share the inputs it read",
    ),
    Move(
        frozenset({Cue.LDS, Cue.CACHE, Cue.ARITHMETIC}),
        {"pixels": 1},
        "give a work-item more pixels, which share the taps it read",
    ),
    Move(
        frozenset({Cue.LOW_OCCUPANCY, Cue.SPILLS}),
        {"pixels": -1},
        "give a work-item fewer pixels",
    ),
    Move(
        frozenset({Cue.LOW_OCCUPANCY, Cue.LATENCY}),
        {"stage": -1},
        "stage fewer input channels, so that more blocks fit LDS",
    ),
    Move(
        frozenset({Cue.LAUNCH, Cue.LATENCY}),
        {"tile_rows": -1},
        "use smaller blocks, so that there are enough for every compute unit",
    ),
    Move(
        frozenset({Cue.LATENCY}),
        {"stage": 1},
        "stage more input channels, so that there are fewer barriers",
    ),
    Move(
        frozenset({Cue.MEMORY, Cue.CACHE}),
        {"tile_rows": 1},
        "use larger tiles, of which less is halo",
    ),
    Move(
        frozenset({Cue.BANK_CONFLICTS}),
        {"tile_width": 1, "tile_rows": -1},
        "make tiles wider, so that a wave reads one row of LDS",
    ),
)

_PLAIN = {"pixels": 1, "prepare": 0}

FAMILY = Family(
    name="upsample_conv_silu",
    knobs=_KNOBS,
    legal=_legal,
    fits=_fits,
    starts={
        "wide": {
            "tile_width": 32,
            "tile_rows": 4,
            "channels": 8,
            "stage": 8,
            "phases": 1,
            **_PLAIN,
        },
        "lean": {
            "tile_width": 16,
            "tile_rows": 8,
            "channels": 4,
            "stage": 4,
            "phases": 0,
            **_PLAIN,
        },
    },
    moves=_MOVES,
    render=_render,
    limitations=(
        "Taps are summed before they meet the inputs, which rounds otherwise than the "
        "order of the definition.",
        "No matrix instructions.",
    ),
)
