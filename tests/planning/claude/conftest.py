"""A process that is ready to be forked by tests which kill."""

import subprocess
import sys
from collections.abc import Generator

import pytest

from tests.planning.claude.batch_calls import echo
from tests.planning.claude.mortal import Order
from tests.planning.claude.mortals import Mortals
from tests.standins.claude import Says, serving


@pytest.fixture(scope="module")
def helper(
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator["subprocess.Popen[str]", None, None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.planning.claude.mortal"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process, serving(lambda request: Says(echo(request))) as server:
        assert process.stdin is not None
        folder = tmp_path_factory.mktemp("ready")
        first = Order(url=server.url, folder=folder, prompts=["ready?"], in_batch=False)
        process.stdin.write(first.model_dump_json() + "\n")
        yield process
        process.stdin.close()


@pytest.fixture
def mortals(helper: "subprocess.Popen[str]") -> Mortals:
    return Mortals(helper)
