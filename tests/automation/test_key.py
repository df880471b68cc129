"""The key for Claude reaches the steps, in memory alone, and nothing that they start."""

import os
import subprocess
import sys
from pathlib import Path

from rocm_pipeline.planning.claude.settings import KEY_VARIABLE

KEY = "sk-ant-canary-Zk39xQ27vLm04Tt8"
OTHER = "0ther-Secret-4711-abcdef"
AS_STEP_SERVER = f"""
import os, subprocess, sys
import rocm_pipeline.automation.step_server
from rocm_pipeline.planning.claude.settings import api_key
child = subprocess.run(["env"], capture_output=True, text=True).stdout
print(api_key() == {KEY!r}, {KEY_VARIABLE!r} in os.environ, {KEY!r} in child)
"""
AS_COMMAND = f"""
import os, subprocess
from rocm_pipeline.planning.claude.settings import KEY_VARIABLE, api_key, take_key
from rocm_pipeline.redaction import process as redaction
taken = redaction.withhold((KEY_VARIABLE,))
handed_on = os.environ.get(KEY_VARIABLE) == {KEY!r}
take_key()
child = subprocess.run(["env"], capture_output=True, text=True).stdout
print(taken, handed_on, api_key() == {KEY!r}, {KEY!r} in child, redaction.clean_text({KEY!r}))
"""


def run(code: str, home: Path, **variables: str) -> str:
    environment = {**os.environ, "ROCM_PIPELINE_HOME": str(home), KEY_VARIABLE: KEY, **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_server_of_steps_takes_the_key_out_of_its_environment(tmp_path: Path) -> None:
    assert run(AS_STEP_SERVER, tmp_path) == "True False False"


def test_the_command_hands_on_the_key_alone_and_watches_for_it(tmp_path: Path) -> None:
    said = run(AS_COMMAND, tmp_path, OTHER_TOKEN=OTHER)
    assert said == "('OTHER_TOKEN',) True True False [redacted]"
