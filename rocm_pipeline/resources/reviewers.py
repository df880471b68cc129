"""How good the configured reviewers of a home are."""

import time
from collections.abc import Iterator

from rocm_pipeline.agents.cross_review import measure_models
from rocm_pipeline.agents.workshop import open_fleet
from rocm_pipeline.fleet.hosts import find_config
from rocm_pipeline.home import Home
from rocm_pipeline.planning.claude.call import Purpose
from rocm_pipeline.planning.claude.opening import open_claude
from rocm_pipeline.planning.claude.reviewer import ClaudeReviewer
from rocm_pipeline.planning.claude.settings import has_key, read_settings
from rocm_pipeline.planning.planted.measure import (
    Measurement,
    latest,
    measure,
    measure_rules,
    save,
)
from rocm_pipeline.records.records import Records
from rocm_pipeline.reporting.page import write_index
from rocm_pipeline.resources.locks import locked


def measure_all(home: Home) -> list[Measurement]:
    """Measure every configured reviewer, keep the figures and renew the index of the reports.

    Returns the newest measurement of each reviewer that was ever measured in this home. Raises
    UserError where a configured host does not answer.
    """
    records = Records.open(home.records_url, str(home.store))
    try:
        for measurement in _measured(home, records):
            save(records, measurement)
        found = latest(records)
    finally:
        records.close()
    if home.reports.is_dir():
        with locked(home.path / "reports.lock"):
            write_index(home.reports, found)
    return found


def _measured(home: Home, records: Records) -> Iterator[Measurement]:
    """Yield the measurement of each configured reviewer, as it is made."""
    yield measure_rules("cross", now=time.time())
    yield measure_rules("final", now=time.time())
    if find_config(home.path) is not None:  # the embedded agent is no reviewer
        with open_fleet(home, records) as fleet:
            yield from measure_models(fleet, now=time.time())
    if has_key():
        yield _measured_claude(home, records)


def _measured_claude(home: Home, records: Records) -> Measurement:
    model = read_settings(home.path).of(Purpose.REVIEW).model
    with open_claude(home.path, records) as claude:
        reviewer = ClaudeReviewer(claude)
        return measure(
            model,
            "final",
            lambda given: [each.review for each in reviewer.review(given)],
            now=time.time(),
        )
