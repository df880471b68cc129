"""Whether what a stage made is still in the home: a person may have deleted or changed it."""

from rocm_pipeline.home import Home
from rocm_pipeline.reporting.page import INDEX
from rocm_pipeline.resources.artefacts import Artefacts, pointer

REPORT = "report"


class Outputs:
    """Looks for the values and pages of a home's stages."""

    def __init__(self, home: Home) -> None:
        self._artefacts = Artefacts.open(home)
        self._reports = home.reports

    def has(self, stage: str, target: str, data_version: str) -> bool:
        """Say whether what Dagster recorded is what is there, whole; of a report its page too.

        A stage that was killed after it wrote its value, and before Dagster noted that, leaves
        another value there than the recorded one.
        """
        if not self._artefacts.holds(pointer(stage, target), data_version):
            return False
        pages = (f"{target}.html", f"{target}.json", INDEX) if stage == REPORT else ()
        return all((self._reports / page).is_file() for page in pages)
