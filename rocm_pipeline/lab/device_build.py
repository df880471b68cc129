"""What one compilation for one architecture gave, and whether it is what was asked for."""

import base64
import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property

from rocm_pipeline.lab.code_object import CodeObject, CodeObjectError, read_code_object
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.source_hash import hash_of, mismatch


@dataclass(frozen=True)
class DeviceBuild:
    """What one compilation gave. `code_object` and `assembly` are empty unless it PASSED.

    `message` holds the compiler's diagnostics, which name the candidate's own lines as
    `kernel.hip:12:5: error: ...`; for a pass, its warnings.
    """

    architecture: str
    status: Status
    message: str = ""
    code_object: bytes = b""
    assembly: str = ""

    @cached_property
    def content(self) -> CodeObject:
        """What the code object says; raises `CodeObjectError` when there is none."""
        return read_code_object(self.code_object)

    @property
    def unreadable(self) -> str | None:
        """Say why the object cannot be read, as when it holds too many kernels, or return None."""
        try:
            _ = self.content
        except CodeObjectError as error:
            return str(error)
        return None

    @property
    def object_sha256(self) -> str:
        return hashlib.sha256(self.code_object).hexdigest()

    def is_of(self, source: str, architecture: str) -> bool:
        """Whether this may be used as the build of `source`: an object must carry its hash."""
        if self.architecture != architecture:
            return False
        return self.status is not Status.PASSED or self.foreign(source) is None

    def foreign(self, source: str) -> str | None:
        """Say why the object is not of `source` and this architecture, or return None."""
        if self.unreadable is not None:
            return self.unreadable
        content = self.content
        if content.architecture != self.architecture:
            return f"the code object is for {content.architecture}, not {self.architecture}"
        return mismatch(content.source_sha256, hash_of(source))

    def to_json(self) -> bytes:
        content = {each.name: getattr(self, each.name) for each in fields(self)}
        content["code_object"] = base64.b64encode(self.code_object).decode("ascii")
        return json.dumps(content).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "DeviceBuild | None":
        """Read what `to_json` wrote; None for anything else."""
        try:
            given = json.loads(content)
            code_object = base64.b64decode(given.pop("code_object"))
            return cls(status=Status(given.pop("status")), code_object=code_object, **given)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
