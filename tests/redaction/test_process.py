"""What a process says is redacted by field, and too many secrets are refused in one line."""

import os
import subprocess
import sys
from collections import OrderedDict
from typing import Any, NamedTuple

import pytest

from rocm_pipeline.redaction import process
from rocm_pipeline.redaction.fingerprints import Fingerprints
from rocm_pipeline.redaction.redactor import MARK, Redactor
from tests.redaction.canaries import CANARIES

SECRET = CANARIES[0]
_COMMAND = "from rocm_pipeline.cli import main; main()"


class Named(NamedTuple):
    field: str


@pytest.fixture
def _knowing(monkeypatch: pytest.MonkeyPatch) -> None:
    state = type("State", (), {"redactor": Redactor(Fingerprints.of([SECRET]))})
    monkeypatch.setattr(process, "_State", state)


@pytest.mark.usefixtures("_knowing")
@pytest.mark.parametrize(
    ("value", "clean"),
    [
        (SECRET, MARK),
        (SECRET.encode(), MARK.encode()),
        (bytearray(SECRET, "utf-8"), MARK.encode()),
        (memoryview(SECRET.encode()), MARK.encode()),
        ([SECRET, (1, SECRET)], [MARK, (1, MARK)]),
        (OrderedDict({SECRET: [SECRET]}), {MARK: [MARK]}),
        ({SECRET, "x"}, {MARK, "x"}),
        (Named("plain"), Named("plain")),
        (7, 7),
        (None, None),
    ],
)
def test_values_are_cleaned_however_deep(value: Any, clean: Any) -> None:
    assert process.clean_value(value) == clean


@pytest.mark.usefixtures("_knowing")
def test_bytes_without_a_secret_stay_what_they_are() -> None:
    data = bytearray(os.urandom(2000))
    assert process.clean_value(data) is data


def test_more_secrets_than_fit_are_refused_in_one_line() -> None:
    keys = {f"MANY_{number}_TOKEN": f"{number:04d}{SECRET}{number}" for number in range(300)}
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, "run", "no_such_target"],
        env={**os.environ, **keys},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "holds 300 secrets" in done.stderr
