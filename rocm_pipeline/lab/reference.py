"""The target's float64 reference, run in the harness, which no candidate ever shares."""

from collections.abc import Callable, Mapping

import numpy as np

from rocm_pipeline.errors import UserError
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.spec import Case, Target

_Function = Callable[[dict[str, Array], dict[str, int], dict[str, float]], Mapping[str, Array]]


class Reference:
    """The compiled reference of one target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        namespace: dict[str, object] = {}
        try:
            # the target's author is the user; this is their own code, not an agent's
            exec(compile(target.reference, self._where, "exec"), namespace)  # noqa: S102
        except Exception as error:
            raise self._broken(f"does not load ({type(error).__name__}: {error})") from error
        function = namespace.get("reference")
        if not callable(function):
            raise self._broken("defines no function 'reference(inputs, symbols, scalars)'")
        self._function: _Function = function  # pyright: ignore[reportAttributeAccessIssue]

    def outputs(self, case: Case, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return every output in float64, computed from the inputs as the candidate sees them."""
        wide = {
            name: array.astype(np.float64) if array.dtype.kind == "f" else array
            for name, array in inputs.items()
        }
        try:
            found = self._function(wide, dict(case.symbols), dict(case.scalars))
        except Exception as error:
            raise self._broken(f"fails on {case.name} ({type(error).__name__}: {error})") from error
        return {name: self._checked(name, case, found) for name in self._target.outputs}

    def _checked(self, name: str, case: Case, found: Mapping[str, Array]) -> Array:
        if name not in found:
            raise self._broken(f"returns no '{name}'")
        array = np.asarray(found[name])
        expected = next(t.shape for t in self._target.tensors_for(case) if t.name == name)
        if array.shape != expected:
            raise self._broken(f"returns '{name}' of shape {array.shape}, not {expected}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise self._broken(f"is not finite in '{name}' on {case.name}")
        return array

    @property
    def _where(self) -> str:
        return f"reference of {self._target.name}"

    def _broken(self, what: str) -> UserError:
        return UserError(what, where=self._where, fix="Mend the file `reference` in target.yaml.")
