"""Content-addressed blobs: sources, prompts, replies, code objects, reports."""

import hashlib
import json

from rocm_pipeline.errors import UserError
from rocm_pipeline.records.files import Files
from rocm_pipeline.redaction.process import clean_bytes


class StoreCorruptError(UserError):
    """A blob's bytes no longer have the hash they are stored under; never served."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def canonical_json(value: object) -> str:
    """Return the one spelling of `value` that hashes are taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Store:
    """Blobs by the SHA-256 of their content, in a local folder or any fsspec URL."""

    def __init__(self, url: str) -> None:
        self._files = Files(url)

    def put(self, content: bytes) -> str:
        """Store `content`, redacted, and return its hash; the same content twice is one blob.

        The hash is of what is stored. A blob that was damaged meanwhile is written anew.
        """
        content = clean_bytes(content)
        digest = sha256(content)
        try:
            intact = self._files.read(_name(digest)) == content
        except FileNotFoundError:
            intact = False
        if not intact:
            self._files.write(_name(digest), content)
        return digest

    def get(self, digest: str) -> bytes:
        """Return the blob. StoreCorruptError: its bytes changed. UserError: it is absent."""
        try:
            content = self._files.read(_name(digest))
        except FileNotFoundError:
            raise UserError(
                "the store does not hold this blob",
                where=self._files.path(_name(digest)),
                fix="Point the store at the folder or bucket that belongs to these records.",
            ) from None
        if sha256(content) != digest:
            raise StoreCorruptError(
                "the store's blob is damaged: its content is not what its name says",
                where=self._files.path(_name(digest)),
                fix="Run the pipeline, which makes a damaged value again; where it cannot, restore "
                "that file from a copy.",
            )
        return content

    def has(self, digest: str) -> bool:
        return self._files.exists(_name(digest))

    def put_text(self, text: str) -> str:
        return self.put(text.encode())

    def get_text(self, digest: str) -> str:
        return self.get(digest).decode()

    def put_json(self, value: object) -> str:
        """Store the canonical JSON of `value`: equal values have one hash."""
        return self.put_text(canonical_json(value))


def _name(digest: str) -> str:
    return f"{digest[:2]}/{digest}"
