"""The one folder that holds all state, and the settings that come from the environment."""

import os
from dataclasses import dataclass
from pathlib import Path

from rocm_pipeline.errors import UserError

HOME_VARIABLE = "ROCM_PIPELINE_HOME"
REPOSITORY_VARIABLE = "ROCM_PIPELINE_REPOSITORY"
ROUNDS_VARIABLE = "ROCM_PIPELINE_ROUNDS"
DEFAULT_ROUNDS = 3
PROBE_BYTES = 1 << 20
"""What must fit on the disk for a run to start at all."""
_FORBIDDEN = ("[", "*", "?", "%", "::")
"""What a home's path may not hold: Dagster finds its settings by a glob and names its databases by
URL, and the store's path may be an fsspec URL. Each would read another place in the path."""

_SQLITE = b"SQLite format 3\0"
"""How such a file begins."""


@dataclass(frozen=True)
class Home:
    """Where everything lies. Nothing is created before `create()`."""

    path: Path

    def __post_init__(self) -> None:
        found = [f"'{text}'" for text in _FORBIDDEN if text in str(self.path)]
        if found:
            raise UserError(
                f"the home's path may not hold {' or '.join(found)}",
                where=str(self.path),
                fix=f"Give another folder with `--home`, or set {HOME_VARIABLE}.",
            )

    @classmethod
    def from_environment(cls) -> "Home":
        """Return `$ROCM_PIPELINE_HOME`, or `.rocm_pipeline` in the current folder."""
        return cls(Path(os.environ.get(HOME_VARIABLE) or ".rocm_pipeline").resolve())

    @property
    def dagster(self) -> Path:
        return self.path / "dagster"

    @property
    def records(self) -> Path:
        return self.path / "records.sqlite"

    @property
    def records_url(self) -> str:
        return f"sqlite:///{self.records}"

    def damaged_databases(self) -> list[Path]:
        """Return the SQLite files, the records and Dagster's own, that do not begin like one.

        An empty file is a new one.
        """
        files = [self.records, *self.dagster.rglob("*.db")]
        return [path for path in files if _first_bytes(path) not in (b"", _SQLITE)]

    @property
    def store(self) -> Path:
        return self.path / "store"

    @property
    def artefacts(self) -> Path:
        """Pointers from asset partitions to blobs of the store."""
        return self.path / "artefacts"

    @property
    def cache(self) -> Path:
        """Compiled objects by content; safe to delete."""
        return self.path / "cache"

    @property
    def repository(self) -> Path:
        """The configured repository, or the built-in example."""
        configured = os.environ.get(REPOSITORY_VARIABLE)
        return Path(configured).resolve() if configured else self.path / "repository"

    @property
    def worktrees(self) -> Path:
        return self.path / "worktrees"

    @property
    def reports(self) -> Path:
        return self.path / "reports"

    @property
    def targets(self) -> Path:
        """The user's own targets, a folder each."""
        return self.path / "targets"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    def enter_environment(self) -> None:
        """Make this the home of every process that is started from here, Dagster's own too."""
        os.environ["DAGSTER_HOME"] = str(self.dagster)
        os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
        os.environ[HOME_VARIABLE] = str(self.path)

    def create(self) -> None:
        """Make the folder, readable by its owner alone; a `UserError` says why it cannot be."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.path / f".probe-{os.getpid()}"
            try:
                probe.write_bytes(bytes(PROBE_BYTES))
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(
                f"the home cannot be written ({error.strerror or error})",
                where=str(self.path),
                fix=f"Mend its permissions or free space there, or set {HOME_VARIABLE}.",
            ) from error


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE))
    except OSError:
        return b""  # it is not there, or whoever opens it says why it cannot be


def rounds() -> int:
    """Return how many times a kernel task may answer, from `$ROCM_PIPELINE_ROUNDS`."""
    text = os.environ.get(ROUNDS_VARIABLE, str(DEFAULT_ROUNDS))
    if not text.isdigit() or not 1 <= int(text) <= 50:
        raise UserError(
            f"is '{text}'", where=ROUNDS_VARIABLE, fix="Give a whole number from 1 to 50."
        )
    return int(text)
