"""A stranger's reference, run by each mechanism that contains agent-written code."""

from pathlib import Path

import numpy as np
import pytest

from rocm_pipeline.bundle.stranger import run_in_sandbox
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.sandbox.landlock import OLDEST, LandlockMechanism, landlock_version

TWICE = "def reference(inputs, symbols, scalars):\n    return {'y': inputs['x'] * symbols['n']}\n"


@pytest.fixture(params=[True, False], ids=["as root", "without root"])
def behind_landlock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if landlock_version() < OLDEST:
        pytest.skip(f"this kernel has no Landlock {OLDEST} (Linux 6.12)")
    sandbox = Sandbox(LandlockMechanism(None, own_files=request.param))
    monkeypatch.setattr(Sandbox, "detect", lambda: sandbox)


@pytest.mark.usefixtures("behind_landlock")
def test_a_reference_gives_its_outputs_behind_landlock() -> None:
    found = run_in_sandbox(TWICE, ["y"], {"x": np.arange(3.0)}, {"n": 2}, {})
    assert found["y"].tolist() == [0.0, 2.0, 4.0]


@pytest.mark.usefixtures("behind_landlock")
def test_a_reference_that_leaves_its_folder_still_leaves_its_outputs_in_the_box() -> None:
    source = f"import os\nos.chdir('/usr')\n{TWICE}"
    assert run_in_sandbox(source, ["y"], {"x": np.ones(1)}, {"n": 3}, {})["y"].tolist() == [3.0]


ARCHIVE = """
import os, zipfile

def reference(inputs, symbols, scalars):
    with zipfile.ZipFile("y.npy", "w") as archive:
        archive.writestr("../planted.npy", b"x")
    os._exit(0)
"""


def test_an_archive_in_the_place_of_an_array_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"y\.npy is not an array"):
        run_in_sandbox(ARCHIVE, ["y"], {"x": np.ones(1)}, {}, {})
    assert list(tmp_path.iterdir()) == []
