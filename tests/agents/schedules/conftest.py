"""What the tests of schedules share."""

import pytest

from rocm_pipeline.agents.schedules import FAMILIES
from rocm_pipeline.agents.schedules.model import Family
from rocm_pipeline.targets.spec import Target
from tests.agents.schedules.samples import builtin


@pytest.fixture(params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


@pytest.fixture
def target(family: Family) -> Target:
    return builtin(family.name)
