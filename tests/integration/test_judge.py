"""What is made of one check's claims; nothing here needs PyTorch or runs an operator."""

from pathlib import Path

import pytest

from rocm_pipeline.integration.evidence import CheckRecord
from rocm_pipeline.integration.job import Check, CheckResult, Described, Ended, Job
from rocm_pipeline.integration.judge import Judge
from rocm_pipeline.integration.operator_cases import operator_cases
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.targets.spec import Target


@pytest.fixture
def judge(softmax: Target, tmp_path: Path) -> Judge:
    return Judge(softmax, Job.model_construct(), tuple(operator_cases(softmax, 1)), tmp_path)


def described(judge: Judge) -> Described:
    (shape,) = (array.shape for array in judge.cases[0].outputs.values())
    dtype = judge.target.dtype_of("io", judge.cases[0].case)
    return Described(shape=shape, dtype=dtype.value)


def fake(judge: Judge, *tensors: Described, ended: Ended = Ended.RAN) -> CheckRecord:
    result = CheckResult(check=Check.FAKE, ended=ended, message="m", described=tensors)
    return judge.record(result)


def test_a_fake_that_describes_every_output_passes(judge: Judge) -> None:
    assert fake(judge, described(judge)).status is Status.PASSED


@pytest.mark.parametrize("count", [0, 2, 3])
def test_a_fake_that_describes_fewer_or_more_outputs_does_not(judge: Judge, count: int) -> None:
    record = fake(judge, *[described(judge)] * count)
    assert record.status is Status.WRONG_SHAPE
    assert record.message == f"the fake described {count} outputs of 1"


def test_a_fake_with_another_shape_or_type_does_not(judge: Judge) -> None:
    right = described(judge)
    other = right.model_copy(update={"shape": (*right.shape, 1)})
    assert fake(judge, other).status is Status.WRONG_SHAPE
    other = right.model_copy(update={"dtype": "int64"})
    assert fake(judge, other).status is Status.WRONG_DTYPE


@pytest.mark.parametrize("ended", [ended for ended in Ended if ended is not Ended.RAN])
def test_a_fake_that_did_not_end_well_does_not(judge: Judge, ended: Ended) -> None:
    assert fake(judge, described(judge), ended=ended).status is not Status.PASSED
    assert fake(judge, ended=ended).status is not Status.PASSED


def test_a_peer_that_fails_says_nothing_about_the_operator(judge: Judge) -> None:
    result = CheckResult(check=Check.EQUIVALENT, ended=Ended.RAISED, message="no such function")
    assert judge.record(result).status is Status.INCONCLUSIVE
