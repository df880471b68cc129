"""`rocm-pipeline reviewers`: how good the configured reviewers are, on planted kernels."""

from rich.table import Table

from rocm_pipeline.commands.common import HomeOption, home_of
from rocm_pipeline.terminal import out

TITLE = "Reviewers on planted kernels (a rate with its 95 % interval)"


def reviewers(home: HomeOption = None) -> None:
    """Measure the reviewers on planted kernels: what they catch, and their false alarms.

    Rules always; with a fleet each of its models that may review; with a key Claude, within its
    budget. What is found is kept, and is in the reports from then on.
    """
    from rocm_pipeline.planning.planted.measure import table
    from rocm_pipeline.resources.reviewers import measure_all

    place = home_of(home)
    place.create()
    header, rows = table(measure_all(place))
    shown = Table(*header, title=TITLE)
    for row in rows:
        shown.add_row(*row)
    out.print(shown)
