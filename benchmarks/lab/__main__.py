"""How good the kernel lab is, in figures against their aims. Run: make show-lab

Speed is measured first, before the tests load the machine. A figure that cannot be taken here is a
row that says why; the command succeeds only when nothing is missing and every aim is met.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.figures import Row, as_markdown, show
from benchmarks.lab import compile_time, constructs, emulation, predictions, suite
from benchmarks.machine import facts

BEGIN, END = "<!-- figures begin -->\n", "<!-- figures end -->\n"


def parts(system: Path, console: Console) -> Mapping[str, Callable[[], Sequence[Row]]]:
    """Return what can be measured, in the order in which it is."""
    return {
        "emulation": emulation.measure,
        "compilation": lambda: compile_time.measure(system),
        "prediction": predictions.measure,
        "suite": lambda: suite.measure(console),
        "constructs": constructs.measure,
    }


def replace_figures(page: str, figures: str) -> str:
    """Return the page with `figures` between its two marks; raises SystemExit without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the page has no lines {BEGIN.strip()} and {END.strip()}")
    return f"{before}{BEGIN}{figures}{END}{after}"


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 140)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", choices=parts(Path(), console), action="append", help="one part, or several"
    )
    parser.add_argument(
        "--system",
        type=Path,
        default=Path("/"),
        metavar="FOLDER",
        help="where usr/lib/llvm-N and usr/include/hip of a distribution are (default: /)",
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the tables into this page as well"
    )
    arguments = parser.parse_args()
    machine = facts()
    console.print(machine, soft_wrap=True)
    met = True
    page = f"{machine}\n"
    for title, measure in parts(arguments.system, console).items():
        if arguments.only and title not in arguments.only:
            continue
        rows = measure()
        met &= show(title.capitalize(), rows, console)
        page += f"\n### {title.capitalize()}\n\n{as_markdown(rows)}"
    if arguments.write is not None:
        old = arguments.write.read_text(encoding="utf-8")
        arguments.write.write_text(replace_figures(old, page), encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
