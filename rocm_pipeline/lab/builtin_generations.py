"""Builtins that only some architectures have, such as the matrix instructions of one generation."""

from functools import cache

from rocm_pipeline.lab.hip_names import hip_names


def architectures_of(builtin: str) -> tuple[str, ...] | None:
    """Return the architectures for which a builtin compiles; None for one that nobody tried."""
    return _table().get(builtin)


def wrong_generation(builtin: str, features: str = "") -> str:
    """Say who has a builtin that an architecture lacks; `features` is what its compiler misses."""
    have = architectures_of(builtin)
    if have is None:
        needed = f" (it needs {features})" if features else ""
        return f"'{builtin}' does not exist on this architecture{needed}: write this part in HIP"
    return (
        f"'{builtin}' exists on {', '.join(have)} only: write this part in HIP for the others, "
        "beside an #if __AMDGCN_WAVEFRONT_SIZE__ where the wave size tells them apart, or leave "
        "them out"
    )


@cache
def _table() -> dict[str, tuple[str, ...]]:
    builtins = (each for group in hip_names().builtins for each in group.builtins)
    return {each.name: each.architectures for each in builtins}
