"""Whether what a stage made is still in the home: a person may have deleted some of it."""

from rocm_pipeline.home import Home
from rocm_pipeline.records.store import Store
from rocm_pipeline.reporting.page import INDEX
from rocm_pipeline.resources.artefacts import Artefacts, pointer

REPORT = "report"


class Outputs:
    """Looks for the values and pages of a home's stages."""

    def __init__(self, home: Home) -> None:
        self._artefacts = Artefacts.open(home)
        self._store = Store(str(home.store))
        self._reports = home.reports

    def has(self, stage: str, target: str, data_version: str) -> bool:
        """Say whether the value, and of a report its page, is still there; reads no content."""
        if not self._artefacts.has(pointer(stage, target)) or not self._store.has(data_version):
            return False
        pages = (f"{target}.html", f"{target}.json", INDEX) if stage == REPORT else ()
        return all((self._reports / page).is_file() for page in pages)
