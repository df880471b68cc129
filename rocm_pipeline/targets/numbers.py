"""Numbers that an author writes: a truth value, which Python counts as 0 or 1, is none of them."""

from typing import Annotated

from pydantic import BeforeValidator, Field


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is a truth value; write a number")
    return value


Integer = Annotated[int, BeforeValidator(_no_truth_value)]
Number = Annotated[float, BeforeValidator(_no_truth_value)]
Int32 = Annotated[Integer, Field(ge=-(2**31), lt=2**31)]
"""What a kernel can be passed for a symbol."""
