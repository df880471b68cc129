"""The target's float64 reference, run in the harness, which no candidate ever shares.

A reference file may define, beside `reference`, a function `reference_at(inputs, symbols, scalars,
places)` that computes chosen elements only. Without it the whole answer is computed where a few
elements would do, which takes long at the sizes that are timed.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from rocm_pipeline.errors import UserError
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.subject import BoundTensor, Case, ReferenceFunction, Role, Subject

Places = tuple[Array, ...]
"""Elements of a tensor: one array of indices for each dimension."""
_FunctionAt = Callable[
    [dict[str, Array], dict[str, int], dict[str, float], dict[str, Places]], Mapping[str, Array]
]


class Reference:
    """The compiled reference of one target."""

    def __init__(self, target: Subject) -> None:
        self._target = target
        self._function_at: _FunctionAt | None = None
        own = target.own_reference()
        self._function: ReferenceFunction = self._loaded() if own is None else own

    def _loaded(self) -> ReferenceFunction:
        target = self._target
        namespace: dict[str, object] = {}
        with self._running("does not load"):
            # the target's author is the user; this is their own code, not an agent's
            exec(compile(target.reference, self._where, "exec"), namespace)  # noqa: S102
        function = namespace.get("reference")
        if not callable(function):
            raise self._broken("defines no function 'reference(inputs, symbols, scalars)'")
        chosen = namespace.get("reference_at")
        if callable(chosen):
            self._function_at = chosen  # pyright: ignore[reportAttributeAccessIssue]
        return function  # pyright: ignore[reportReturnType]

    def outputs(self, case: Case, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return every output in float64, computed from the inputs as the candidate sees them."""
        return self.computed_in(np.float64, case, inputs)

    def computed_in(
        self, dtype: type[np.floating[Any]], case: Case, inputs: Mapping[str, Array]
    ) -> dict[str, Array]:
        """Return every output as the reference gives it when its inputs have another float type.

        In float32 it is an honest implementation to calibrate with; the truth is float64.
        """
        types = {tensor.name: tensor.dtype for tensor in self._target.tensors_for(case)}
        cast = {
            name: types[name].unpack(array).astype(dtype) if types[name].is_floating else array
            for name, array in inputs.items()
        }
        with self._running(f"fails on {case.name}"):
            found = self._function(cast, dict(case.symbols), dict(case.scalars))
        return {
            tensor.name: self._checked(tensor, tensor.shape, case, found)
            for tensor in self._target.tensors_for(case)
            if tensor.role is not Role.INPUT
        }

    def at(
        self, case: Case, inputs: Mapping[str, Array], places: Mapping[str, Places]
    ) -> dict[str, Array]:
        """Return the chosen elements of the outputs named in `places`, in their order."""
        if self._function_at is None:
            whole = self.outputs(case, inputs)
            return {name: whole[name][where] for name, where in places.items()}
        with self._running(f"fails in reference_at on {case.name}"):
            found = self._function_at(
                dict(inputs), dict(case.symbols), dict(case.scalars), dict(places)
            )
        return {
            tensor.name: self._checked(tensor, places[tensor.name][0].shape, case, found)
            for tensor in self._target.tensors_for(case)
            if tensor.name in places
        }

    def require_agreement(self, case: Case, inputs: Mapping[str, Array]) -> None:
        """Refuse a `reference_at` that differs from `reference`, on up to 64 elements of `case`."""
        if self._function_at is None:
            return
        whole = self.outputs(case, inputs)
        places: dict[str, Places] = {
            name: np.unravel_index(
                np.unique(np.linspace(0, array.size - 1, 64, dtype=np.int64)), array.shape
            )
            for name, array in whole.items()
            if array.size
        }
        chosen = self.at(case, inputs, places)
        for name, where in places.items():
            if not np.allclose(chosen[name], whole[name][where], rtol=1e-9, atol=1e-12):
                raise self._broken(
                    f"gives other values for '{name}' in reference_at than in reference "
                    f"(on {case.name}; are the inputs widened to float64 there?)"
                )

    def _checked(
        self, tensor: BoundTensor, shape: tuple[int, ...], case: Case, found: object
    ) -> Array:
        name = tensor.name
        if not isinstance(found, Mapping):
            raise self._broken(f"returns a {type(found).__name__}, not a dict of arrays")
        if name not in found:
            raise self._broken(f"returns no '{name}'")
        array = np.asarray(found[name])
        if array.shape != shape:
            raise self._broken(f"returns '{name}' of shape {array.shape}, not {shape}")
        if array.dtype.kind not in "biuf":
            raise self._broken(f"returns '{name}' of {array.dtype}, not of numbers")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise self._broken(f"is not finite in '{name}' on {case.name}")
        if not tensor.dtype.is_floating and not np.array_equal(
            array, array.astype(tensor.dtype.numpy)
        ):
            raise self._broken(f"returns values for '{name}' that {tensor.dtype.value} cannot hold")
        return array

    @contextmanager
    def _running(self, failure: str) -> Generator[None]:
        """Whatever the reference raises is its own; only Ctrl-C may be the user's."""
        try:
            yield
        except (UserError, KeyboardInterrupt):
            raise  # of these the first is by a reference that knows better where to mend it
        except BaseException as error:  # SystemExit would end the program without a word
            raise self._broken(f"{failure} ({type(error).__name__}: {error})") from error

    @property
    def _where(self) -> str:
        return self._target.reference_place

    def _broken(self, what: str) -> UserError:
        return UserError(what, where=self._where, fix="Mend the file `reference` in target.yaml.")
