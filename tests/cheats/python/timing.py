"""Catalogue 22 to 24: clocks, threads, and calls that are told apart."""

from rocm_pipeline.integration.job import Check
from tests.cheats.python.operators import at_import, public
from tests.cheats.python.planted import (
    BRANCHES,
    DIFFERS,
    NEVER,
    Planted,
    cheat,
)

CHEATS = (
    Planted(
        22, "patches-time", "a clock that stands still",
        at_import("import time\n\ntime.perf_counter = lambda: 0.0\n"),
        by_source="imports 'time'",
        behind=cheat(Check.LOAD, r"replaced time\.perf_counter"),
        twin=at_import("import math\n\nHALF = math.pi\n"),
    ),
    Planted(
        23, "thread", "a thread that works while nobody looks",
        at_import("import threading\n\nthreading.Thread(target=print, daemon=True).start()\n"),
        by_source="imports 'threading'",
        behind=cheat(Check.LOAD, r"called Thread\.start"),
    ),
    Planted(
        24, "honest-when-called-first", "the first calls are honest, later ones replay",
        public(
            "calls.append(1)", "if len(calls) < 2:", "    kept.append(forward(x))",
            "return kept[0] if kept[0].shape == x.shape else forward(x)",
            top="calls = []\nkept = []\n",
        ),
        by_source=BRANCHES,
        behind=cheat(Check.FORWARD, f"{NEVER}|{DIFFERS}"),
        twin=public("names.append(1)", "return forward(x)", top="names = []\n"),
    ),
)  # fmt: skip
