"""Standard streams that are closed, cannot be written, or that nobody reads."""

import os
import subprocess
import sys

import pytest

COMMAND = f"{sys.executable} -c 'from rocm_pipeline.cli import main; main()'"
FULL = "standard output: cannot be written (No space left on device)"


def shell(
    line: str, stdout: int = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        env={**os.environ, **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "status"),
    [("version >&- 2>&- <&-", 0), ("version --wrong 2>&-", 2), ("verify nowhere 2>/dev/full", 2)],
)
def test_a_lost_stream_does_not_change_how_the_command_ends(line: str, status: int) -> None:
    done = shell(f"{COMMAND} {line}")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_on_a_full_disk_is_told_in_one_line(unbuffered: str) -> None:
    done = shell(f"{COMMAND} version > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {FULL}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["version", "targets list", "--help"])
def test_a_reader_that_has_gone_ends_the_command_quietly(command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = shell(f"{COMMAND} {command}", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
