"""Values of assets by content: a pointer per partition, the value itself in the Store.

The hash of a value is its data version, so a stage that answers the same again leaves everything
after it fresh.
"""

import re
from typing import Any, TypeVar

import dagster as dg
from pydantic import BaseModel, ValidationError

from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home
from rocm_pipeline.records.files import Files
from rocm_pipeline.records.store import Store, StoreCorruptError, sha256
from rocm_pipeline.redaction.process import clean_text

Value = TypeVar("Value", bound=BaseModel)

_DIGEST = re.compile(rb"[0-9a-f]{64}\s*")
_PARTITION = re.compile(r"[a-z][a-z0-9_]{0,47}")
# a stage whose value is gone is made again; one that stands would not be
_MADE_AGAIN = "Delete that file, then run the pipeline for this target: it is made again."


def text_of(value: BaseModel) -> str:
    """Return `value` as JSON in its own order, which carries meaning: a target's tensors are the
    parameters of its operator, and the ids of records are hashes of their text. It is redacted,
    because the Store would do that too, and the hash must be that of what is stored."""
    return clean_text(value.model_dump_json())


def digest_of(value: BaseModel) -> str:
    """Return the hash that `value` is stored under: its data version."""
    return sha256(text_of(value).encode())


class Artefacts:
    """Reads and writes values by name, such as `kernel/row_softmax`."""

    def __init__(self, store: Store, pointers: Files) -> None:
        self._store = store
        self._pointers = pointers

    @classmethod
    def open(cls, home: Home) -> "Artefacts":
        return cls(Store(str(home.store)), Files(str(home.artefacts)))

    def save(self, name: str, value: BaseModel) -> str:
        """Store `value`, point `name` at it and return its hash."""
        digest = self._store.put_text(text_of(value))
        self._pointers.write(name, digest.encode())
        return digest

    def load(self, name: str, model: type[Value]) -> Value:
        """Return the value; UserError when there is none, or it is of an older version's form.

        Raises StoreCorruptError when its bytes, or the pointer's, are not those that were stored.
        """
        where = self._pointers.path(name)
        try:
            content = self._pointers.read(name)
        except FileNotFoundError:
            raise UserError(
                "has not been made yet", where=where, fix="Run the pipeline for this target."
            ) from None
        if not _DIGEST.fullmatch(content):
            raise StoreCorruptError("names no value of the store", where=where, fix=_MADE_AGAIN)
        try:
            return model.model_validate_json(self._store.get(content.decode().strip()))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise UserError(
                f"does not fit this version of {model.__name__} ({field}: {first['msg']})",
                where=where,
                fix=_MADE_AGAIN,
            ) from error

    def has(self, name: str) -> bool:
        return self._pointers.exists(name)

    def holds(self, name: str, digest: str) -> bool:
        """Say whether `name` points at the value of that hash, and all of its bytes are there."""
        try:
            if self._pointers.read(name).strip() != digest.encode() or not self._store.has(digest):
                return False
            self._store.get(digest)
        except (FileNotFoundError, StoreCorruptError):
            return False
        return True

    def find(self, asset: str, target: str, model: type[Value]) -> Value | None:
        """Return the newest value of an asset for a target, or None when it was never made."""
        name = pointer(asset, target)
        return self.load(name, model) if self.has(name) else None


def pointer(asset: str, target: str) -> str:
    """Return the name of a target's value of an asset; UserError for a key that is no target."""
    if not _PARTITION.fullmatch(target):
        raise UserError(
            f"the partition '{target}' is no name of a target",
            where=asset,
            fix="Delete that partition; names are lower-case letters, digits and _.",
        )
    return f"{asset}/{target}"


class ArtefactIOManager(dg.IOManager):
    """Hands values from step to step; each must be a pydantic model."""

    def __init__(self, artefacts: Artefacts) -> None:
        self._artefacts = artefacts

    def handle_output(self, context: dg.OutputContext, obj: BaseModel) -> None:
        if context.has_asset_key:
            name = pointer(context.asset_key.to_user_string(), context.asset_partition_key)
        else:
            name = _between(context)
        context.add_output_metadata({"sha256": self._artefacts.save(name, obj)})

    def load_input(self, context: dg.InputContext) -> BaseModel:
        if context.has_asset_key:
            name = pointer(context.asset_key.to_user_string(), context.asset_partition_key)
            return self._artefacts.load(name, _model(context.dagster_type))
        upstream = context.upstream_output
        assert upstream is not None
        # A fan-in's own type is the list; each part is of the type that its op declared.
        return self._artefacts.load(_between(upstream), _model(upstream.dagster_type))


def _between(output: dg.OutputContext) -> str:
    """Return the name of a value that one op of a run hands to another."""
    return "/".join(("runs", *output.get_identifier()))


def _model(declared: dg.DagsterType | None) -> type[BaseModel]:
    model: Any = declared.typing_type if declared is not None else None
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return model
