"""Batches of a stranger's reference: few processes, and a mistake is blamed on the right call."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.case_answers import Question
from rocm_pipeline.lab.case_files import read_case_files
from rocm_pipeline.lab.case_subject import CaseSubject, open_subject
from rocm_pipeline.lab.cases import held_out_trials, large_trials, public_trials
from rocm_pipeline.lab.contained_reference import Bounds, ContainedReference, Request
from rocm_pipeline.lab.sandbox import Completed, Sandbox
from rocm_pipeline.targets.subject import ARCHITECTURES, WAVES
from tests.lab.verification.folders import ROW_SUM, pointwise, write

SHORT = Bounds(seconds=1.0, memory_bytes=512 << 20, memory_factor=16)
HEAD = "import os, sys, time\nimport numpy as np\ncalls = []\n"


class Counting(Sandbox):
    """The sandbox of this machine, counting its processes."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox._mechanism)
        self.runs = 0

    def run(self, argv: Sequence[str], **how: Any) -> Completed:
        self.runs += 1
        return super().run(argv, **how)


@pytest.fixture
def counting(sandbox: Sandbox) -> Counting:
    return Counting(sandbox)


def _contained(sandbox: Sandbox, body: str) -> ContainedReference:
    source = f"{HEAD}def reference(i, s):\n    calls.append(s['n'])\n    {body}\n"
    return ContainedReference(sandbox, source, Path("reference.py"))


def _requests(count: int) -> list[Request]:
    return [
        Request({"n": n}, ("y",), f"n={n}", inputs={"x": np.full(3, float(n))})
        for n in range(count)
    ]


def _words(found: Sequence[object]) -> list[str]:
    return [each.what if isinstance(each, UserError) else "answer" for each in found]


def test_many_calls_take_one_process(counting: Counting) -> None:
    contained = _contained(counting, "return {'y': 2 * i['x']}")
    found = contained.ask(_requests(20))
    assert [answer["y"].tolist() for answer in found] == [[2.0 * n] * 3 for n in range(20)]
    assert counting.runs == 1


@pytest.mark.parametrize(
    ("body", "words", "runs"),
    [
        ("return {'y': i['x'][:9 // (s['n'] - 2)]}", "fails on n=2: ZeroDivisionError", 1),
        ("return os._exit(3) if s['n'] == 2 else {'y': i['x']}", "it ended with status 3", 3),
        ("time.sleep(9 * (s['n'] == 2)); return {'y': i['x']}", "took more than 1 seconds", 3),
        ("return {'y': np.ones(1 << 30 if s['n'] == 2 else 3)}", "MemoryError", 1),
    ],
    ids=["raises", "ends the process", "hangs", "takes all memory"],
)
def test_only_the_call_that_fails_is_blamed(
    counting: Counting, body: str, words: str, runs: int
) -> None:
    found = _words(_contained(counting, body).try_each(_requests(4), SHORT))
    assert words in found[2]
    assert "n=2" in found[2]
    assert [found[n] for n in (0, 1, 3)] == ["answer"] * 3
    assert counting.runs == runs


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("open('0.json', 'w').write('{'); os._exit(0)", "leaves no answer"),
        ("open('0.json', 'w').write('{\"names\": [\"y\"]}'); os._exit(0)", "no plain array"),
        ("os.symlink('/etc/passwd', '0.y.npy'); return {'y': i['x']}", "fails on n=0"),
        ("sys.exit(0)", "leaves no answer"),
    ],
    ids=["half a file", "names without arrays", "a link", "a clean exit"],
)
def test_a_forged_answer_is_refused(sandbox: Sandbox, body: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        _contained(sandbox, body).ask(_requests(1))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        "return {'y': i['x'] + len(calls)}",
        "return {'y': i['x'] + np.random.random()}",
        "return {'y': i['x'] + sum(calls)}",
    ],
    ids=["counts its calls", "draws numbers", "remembers the calls before"],
)
def test_an_answer_that_depends_on_other_calls_is_refused(sandbox: Sandbox, body: str) -> None:
    with pytest.raises(UserError) as refused:
        _contained(sandbox, body).ask_repeatably(_requests(3))
    assert "answers differently the second time in 'y' on n=0" in str(refused.value)


def test_an_answer_that_depends_on_its_arguments_alone_is_taken(sandbox: Sandbox) -> None:
    found = _contained(sandbox, "return {'y': i['x'] + 1}").ask_repeatably(_requests(3))
    assert [answer["y"][0] for answer in found] == [1.0, 2.0, 3.0]


def _subject(files: dict[str, str], place: Path, sandbox: Sandbox) -> CaseSubject:
    folder = read_case_files(write(place, files))
    return open_subject(folder, sandbox, architectures=ARCHITECTURES, waves=WAVES)


def test_all_that_a_verdict_needs_is_asked_in_two_processes(
    counting: Counting, tmp_path: Path
) -> None:
    files = ROW_SUM.files()
    files["case.json"] = files["case.json"].replace('"extra_cases": false', '"extra_cases": true')
    subject = _subject(files, tmp_path / "case", counting)
    trials = [*public_trials(subject, 1), *held_out_trials(subject, 1)]
    subject.prepare([Question(trial.case, trial.seed, lowered=True) for trial in trials])
    assert counting.runs == 2
    reference = subject.own_reference()
    assert reference
    for trial in trials:
        inputs = subject.own_inputs(trial.case, trial.seed)
        wide = {name: array.astype(np.float64) for name, array in inputs.items()}
        found = reference(wide, trial.case.symbols, trial.case.scalars)
        assert np.allclose(found["y"], wide["x"].sum(axis=1))
        assert subject.tolerance_for(trial.case)
    assert counting.runs == 2


def test_a_size_at_which_the_reference_needs_too_much_memory_is_left_out_and_named(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    folder = pointwise(
        "copy",
        "float32",
        "float",
        "x[i]",
        "(np.eye(len(i['x'])) * i['x'][:, None]).sum(axis=0)",
        case={"extra_cases": True},
    )
    subject = _subject(folder.files(), tmp_path / "case", sandbox)
    [trial] = large_trials(subject, 1)
    size = trial.case.symbols["n"]
    assert 1000 < size < 10_000
    [words] = subject.left_out
    assert f"left out, {size} was run: reference.py fails on n=" in words
    assert "MemoryError" in words
