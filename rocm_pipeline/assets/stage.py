"""What all stages share.

An asset here is a generator that yields its agents' replies as they come and then one result.
(Dagster reads the return annotation of a plain function with inline checks as its value's type.)
"""

import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

import dagster as dg
from pydantic import BaseModel

from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.resources.artefacts import digest_of

OWNERS = ["team:kernels"]
FIRST = {"dagster/priority": "2"}
"""For the step on which most others wait: of those that may start, it starts first."""
NEXT = {"dagster/priority": "1"}

Value = TypeVar("Value", bound=BaseModel)
Metadata: TypeAlias = Mapping[str, Any]
Results: TypeAlias = Iterator[dg.AssetMaterialization | dg.MaterializeResult[Value]]
GraphResults: TypeAlias = Iterator[dg.AssetMaterialization | dg.Output[Value] | dg.AssetCheckResult]


def result(
    value: Value, metadata: Metadata, checks: Sequence[dg.AssetCheckResult] = ()
) -> dg.MaterializeResult[Value]:
    """Return an asset's result, versioned by its content."""
    return dg.MaterializeResult(
        value=value,
        data_version=dg.DataVersion(digest_of(value)),
        metadata=metadata,
        check_results=list(checks),
    )


def graph_result(value: Value, metadata: Metadata) -> dg.Output[Value]:
    """Return the result of a graph asset's last op, versioned by its content."""
    with _unannounced(dg.BetaWarning):
        return dg.Output(
            value, "result", data_version=dg.DataVersion(digest_of(value)), metadata=metadata
        )


def gate(asset: str, name: str, description: str, *, blocking: bool) -> dg.AssetCheckSpec:
    """Declare a check of one target's partition; a blocking one stops the stages after it."""
    with _unannounced(dg.PreviewWarning):
        return dg.AssetCheckSpec(
            name, asset=asset, description=description, blocking=blocking, partitions_def=targets
        )


@contextmanager
def _unannounced(kind: type[Warning]) -> Generator[None, None, None]:
    """Hold back Dagster's word that a feature is not final: its version is pinned, and tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kind)
        yield
