"""Cheats on the checks themselves: each is an action that the harness's own code must refuse."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.controls import require_sound
from rocm_pipeline.lab.evidence import Evidence, Finding, Status, Tier
from rocm_pipeline.lab.numerics import compare
from rocm_pipeline.lab.ranking import score
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Target, Tolerance
from tests.cheats.hip.targets import small_target
from tests.cheats.model import Cheat

Attempt = Callable[[Evidence], list[str]]
"""Tries the cheat, given the evidence of an honest pass; returns the reasons of the refusal."""


@dataclass(frozen=True, kw_only=True)
class HarnessCheat(Cheat):
    attempt: Attempt
    honest: Attempt
    """The same action with nothing to hide, which nothing refuses."""


def _refusals(action: Callable[[], object]) -> list[str]:
    try:
        action()
    except (UserError, ValidationError, ValueError) as error:
        return [str(error)]
    return []


def _finding(finding: Finding | None) -> list[str]:
    return [f"{finding.status.value}: {finding.message}"] if finding else []


def _loosened(name: str, **tolerance: float) -> Target:
    fields = small_target(name).model_dump()
    for entry in fields["tolerance"].values():
        entry.update(tolerance)
    return Target.model_validate(fields)


def _sound(target: Target) -> Attempt:
    return lambda _evidence: _refusals(lambda: require_sound(target))


def _with_reference(body: str) -> Target:
    fields = small_target("scale").model_dump()
    fields["reference"] = (
        f"import numpy as np\n\n\ndef reference(inputs, symbols, scalars):\n{body}"
    )
    return Target.model_validate(fields)


def _compared(actual: object, reference: object = None) -> Attempt:
    right = np.arange(6, dtype=np.float64).reshape(2, 3) if reference is None else reference
    tolerance = Tolerance.model_validate(
        {"absolute": 0, "relative": 1e-6, "calibration": "one rounding"}
    )
    return lambda _evidence: _finding(
        compare("y", np.asarray(actual), np.asarray(right), DType.FLOAT32, tolerance).finding
    )


def _evidence(**changes: object) -> Attempt:
    def attempt(evidence: Evidence) -> list[str]:
        return _refusals(lambda: Evidence.model_validate(evidence.model_dump() | changes))

    return attempt


def _scored(keep: float) -> Attempt:
    """Score a pass that has speed-ups for a share of its estimates only."""

    def attempt(evidence: Evidence) -> list[str]:
        kept = evidence.speedups[: int(len(evidence.speedups) * keep)]
        value = score(evidence.model_copy(update={"speedups": kept}))
        return ["no score"] if value is None else []

    return attempt


def _at_another_size(evidence: Evidence) -> list[str]:
    moved = tuple(
        each.model_copy(update={"case": each.case.model_copy(update={"symbols": {"n": 7}})})
        for each in evidence.speedups
    )
    return [] if score(evidence.model_copy(update={"speedups": moved})) else ["no score"]


def _try(
    number: int, name: str, how: str, reason: str, attempt: Attempt, honest: Attempt
) -> HarnessCheat:
    return HarnessCheat(
        number=number, name=name, kind="harness", how=how, status=None, reason=reason,
        attempt=attempt, honest=honest,
    )  # fmt: skip


_RIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
_NAN = np.where(_RIGHT == 4, np.float32(np.nan), _RIGHT)
_PASSES = _evidence()
_GOOD = _compared(_RIGHT)
_IS_SOUND = _sound(small_target("softmax"))

CHEATS = (
    _try(3, "tolerance that zeros pass", "a tolerance above every output", "the control",
         _sound(_loosened("softmax", absolute=1.0)), _IS_SOUND),
    _try(11, "tolerance that halves pass", "a tolerance wide enough for half precision",
         "the control 'low precision'", _sound(_loosened("scale", relative=1e-2)),
         _sound(small_target("scale"))),
    _try(12, "tolerance that a copy passes", "a tolerance in which the input is right",
         "the control", _sound(_loosened("scale", absolute=1e4)), _sound(small_target("scale"))),
    _try(13, "NaN in the reference", "an expected NaN that would match anything",
         "is not finite in 'y'",
         _sound(_with_reference("    return {'y': inputs['x'] * np.nan}\n")), _IS_SOUND),
    _try(13, "NaN in an output", "NaN where the comparison would be false", "NONFINITE",
         _compared(_NAN), _GOOD),
    _try(14, "fewer elements", "an output that ends early", "WRONG_SHAPE",
         _compared(_RIGHT[:1]), _GOOD),
    _try(14, "another type", "an output in a wider type", "WRONG_DTYPE",
         _compared(_RIGHT.astype(np.float64)), _GOOD),
    _try(14, "another order of axes", "as many elements in another shape", "WRONG_SHAPE",
         _compared(_RIGHT.T), _GOOD),
    _try(14, "no cases", "a pass without a single case", "PASSED needs cases",
         _evidence(cases=()), _PASSES),
    _try(19, "reference without an output", "an oracle that checks nothing", "returns no 'y'",
         _sound(_with_reference("    return {}\n")), _IS_SOUND),
    _try(19, "reference that fails", "an oracle that raises", "fails on",
         _sound(_with_reference("    return {'y': 1 / 0}\n")), _IS_SOUND),
    _try(27, "speed-up at another size", "a baseline that was judged on another case",
         "no score", _at_another_size, lambda evidence: [] if score(evidence) else ["none"]),
    _try(29, "measured without a device", "an emulated run that calls itself timed in pairs",
         "device", _evidence(tier=Tier.T4), _PASSES),
    _try(30, "failed cases left out of the mean", "speed-ups for half of the estimates",
         "no score", _scored(0.5), lambda evidence: [] if score(evidence) else ["none"]),
    _try(30, "speed-up of a failure", "a failure that carries a speed-up",
         "WRONG_VALUE must not carry a speed-up",
         _evidence(status=Status.WRONG_VALUE, tier=Tier.T1, findings=(
             {"status": Status.WRONG_VALUE, "message": "y is wrong"},)), _PASSES),
    _try(32, "no baseline", "a score with nothing to compare with", "no score", _scored(0),
         lambda evidence: [] if score(evidence) else ["none"]),
    _try(39, "device tier without a device", "an emulated run that calls itself run on a device",
         "device", _evidence(tier=Tier.T3), _PASSES),
    _try(40, "no controls", "a pass whose controls never ran", "PASSED needs controls",
         _evidence(controls=()), _PASSES),
    _try(40, "nothing compiled", "a pass that was compiled for no architecture",
         "PASSED needs every architecture compiled", _evidence(compiles=()), _PASSES),
    _try(40, "status of its own", "a status outside the closed list", "Input should be",
         _evidence(status="OK"), _PASSES),
    _try(40, "pass at T1", "a pass below the tier that runs anything", "PASSED needs tier T2",
         _evidence(tier=Tier.T1), _PASSES),
)  # fmt: skip
