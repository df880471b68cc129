"""Schedules of the family `row_softmax`: softmax over the last dimension of a matrix."""

from rocm_pipeline.agents.schedules.model import Cue, Family, Move, Rendered, Schedule
from rocm_pipeline.agents.schedules.rendering import element_types, fill, has_shape
from rocm_pipeline.targets.launch_plan import Launch, LaunchPlan
from rocm_pipeline.targets.spec import Target

_KNOBS = {
    # work-items of a block
    "block": (64, 128, 256, 512, 1024),
    # rows of a block; block // rows work-items share a row
    "rows": (1, 2, 4, 8, 16, 32),
    # bytes of one load or store where the rows' alignment allows it
    "vector_bytes": (4, 8, 16),
    # elements of a row in the registers of one work-item; 0 reads the row twice
    "kept": (0, 8, 16, 32, 64),
}


def _fits(target: Target) -> bool:
    matrix = ("rows", "cols")
    return has_shape(target, symbols=matrix, tensors={"x": matrix, "y": matrix})


def _legal(_target: Target, schedule: Schedule) -> bool:
    return schedule["block"] // schedule["rows"] >= 8


def _render(target: Target, schedule: Schedule) -> Rendered:
    values = {
        **schedule,
        "lanes": schedule["block"] // schedule["rows"],
        "kernel": target.name,
        "types": element_types(target, "io"),
    }
    launch = Launch(
        kernel=f"{target.name}_{{io}}",
        grid=(f"ceildiv(rows, {schedule['rows']})", "1", "1"),
        block=(str(schedule["block"]), "1", "1"),
        args=("x", "y", "rows", "cols"),
    )
    return Rendered(fill("row_softmax.hip.j2", values), LaunchPlan(launches=(launch,)))


_MOVES = (
    Move(
        frozenset({Cue.SPILLS, Cue.TOO_LARGE}),
        {"kept": -1},
        "keep fewer elements of a row in registers",
    ),
    Move(
        frozenset({Cue.MEMORY, Cue.CACHE, Cue.TRANSCENDENTAL}),
        {"kept": 1},
        "keep more of a row in registers, so that it is read once",
    ),
    Move(
        frozenset({Cue.MEMORY, Cue.CACHE, Cue.LATENCY, Cue.ARITHMETIC}),
        {"vector_bytes": 1},
        "load and store wider vectors",
    ),
    Move(
        frozenset({Cue.LDS, Cue.LATENCY, Cue.ARITHMETIC}),
        {"rows": 1},
        "give a row fewer work-items, so that shuffles replace LDS and barriers",
    ),
    Move(
        frozenset({Cue.MEMORY, Cue.CACHE, Cue.LATENCY}),
        {"block": 1},
        "give a row more work-items, so that a longer row fits their registers",
    ),
    Move(
        frozenset({Cue.LOW_OCCUPANCY}),
        {"kept": -1, "block": 1},
        "spread a row over more work-items with fewer registers each",
    ),
    Move(
        frozenset({Cue.LAUNCH, Cue.LOW_OCCUPANCY}),
        {"block": -1},
        "use smaller blocks, which fill the machine more evenly",
    ),
)

FAMILY = Family(
    name="row_softmax",
    knobs=_KNOBS,
    legal=_legal,
    fits=_fits,
    starts={
        "wide": {"block": 256, "rows": 1, "vector_bytes": 16, "kept": 8},
        "lean": {"block": 64, "rows": 1, "vector_bytes": 4, "kept": 0},
    },
    moves=_MOVES,
    render=_render,
    limitations=(
        "A matrix whose row length the vector width does not divide is moved element by element.",
        "A row longer than the registers of its work-items is read twice.",
    ),
)
