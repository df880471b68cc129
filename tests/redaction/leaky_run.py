"""A process that lets every canary slip, in every spelling, into everything that it writes."""

import logging
import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy

from rocm_pipeline.agents.outcome import Document
from rocm_pipeline.automation import alerts
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home
from rocm_pipeline.publishing import repository
from rocm_pipeline.publishing.branch import commit_files
from rocm_pipeline.publishing.example import ensure_example
from rocm_pipeline.records.files import Files
from rocm_pipeline.records.journal import Intent, Received
from rocm_pipeline.records.lineage import Link, render
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from rocm_pipeline.redaction import process
from rocm_pipeline.resources.artefacts import Artefacts
from rocm_pipeline.resources.instance import prepare_instance
from tests.redaction.canaries import CANARIES, ENCODINGS

LINES = tuple(
    f"{name} of {number}: {spell(canary)}\n"
    for number, canary in enumerate(CANARIES)
    for name, spell in ENCODINGS.items()
)
TEXT = "".join(LINES)
LONGEST_ARGUMENT = 100_000
"""Characters that fit into an argument of a command."""
LONGEST_LINE = 1_800
"""Characters that an error shows whole."""


def pieces(longest: int) -> list[str]:
    """Return the text in pieces that cut no spelling in two."""
    found = [""]
    for line in LINES:
        if len(found[-1]) + len(line) > longest:
            found.append("")
        found[-1] += line
    return found


@dg.asset
def leaky(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    print(TEXT)  # noqa: T201
    os.write(2, TEXT.encode())
    context.log.info(TEXT)
    return dg.MaterializeResult(metadata={"text": TEXT, "list": TEXT.splitlines()[:200]})


@dg.asset
def broken() -> None:
    raise RuntimeError(TEXT)


def write_records(home: Home) -> None:
    records = Records.open(home.records_url, str(home.store))
    intent = Intent(
        provider="ollama", model="m", model_digest="d", system="s", prompt=TEXT, host="h",
        target="t", purpose=TEXT, role="r",
    )  # fmt: skip
    attempt = records.journal.intent(intent)
    records.journal.finish(
        attempt,
        Received(outcome=Outcome.OK, text=TEXT, error=TEXT, t_done=time.time()),
    )
    records.save_plan("plan-1", target="t", commit="c", planner=TEXT, document=TEXT)
    records.save_artefact(TEXT.encode(), kind="report", owner_id="plan-1")
    records.close()
    Artefacts.open(home).save(
        "documentation/t", Document(target="t", markdown=TEXT, problems=(TEXT,), exchange=None)
    )


def write_files(home: Home) -> None:
    Files(str(home.reports)).write("t.html", f"<pre>{TEXT}</pre>".encode())
    alerts.note(
        home.path / alerts.ALERTS,
        run_id="r", target=TEXT, step=TEXT, reason=TEXT, at=datetime.now(timezone.utc),
    )  # fmt: skip
    logger = logging.getLogger("deep.below")
    with _written_to(logger, home.path / "app.log"):
        logger.warning("%s", TEXT)
    with _written_to(logger, home.path / "traces.log"):
        try:
            raise RuntimeError(TEXT)
        except RuntimeError:
            logger.exception("failed")


@contextmanager
def _written_to(logger: logging.Logger, path: Path) -> Generator[None, None, None]:
    handler = logging.FileHandler(path)
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    handler.close()


def write_log_fields(home: Home) -> None:
    """Log with a secret in each field of a record that is not the message."""
    thread = threading.current_thread()
    for field, name in (("name", TEXT), ("threadName", "plain"), ("extra", "plain")):
        file = {"name": "names", "threadName": "threads", "extra": "extra"}[field]
        handler = logging.FileHandler(home.path / f"{file}.log")
        handler.setFormatter(logging.Formatter(f"%({field})s"))
        logger = logging.Logger(name)
        logger.addHandler(handler)
        usual, thread.name = thread.name, TEXT if field == "threadName" else thread.name
        logger.warning("plain", extra={"extra": [TEXT, {TEXT: 1}]} if field == "extra" else None)
        thread.name = usual
        handler.close()


def write_sql(home: Home) -> None:
    """Give a database a secret within a statement, and as bytes."""
    quoted = TEXT.replace("'", "''")
    for file, statement, parameters in (
        ("literals", f"INSERT INTO t VALUES ('{quoted}')", ()),
        ("bytes", "INSERT INTO t VALUES (?)", (TEXT.encode(),)),
    ):
        engine = sqlalchemy.create_engine(f"sqlite:///{home.path / file}.sqlite")
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE t (x)")
            connection.exec_driver_sql(statement, parameters)
        engine.dispose()


def write_branch(home: Home) -> None:
    ensure_example(home.repository)
    files = {"kernels/row_softmax/README.md": TEXT, "kernels/row_softmax/pr.md": TEXT}
    base = repository.head(home.repository)
    for number, message in enumerate(pieces(LONGEST_ARGUMENT)):
        worktree = home.worktrees / f"t{number}"
        commit_files(home.repository, worktree, f"agent/t-{number}", base, files, message)


def main() -> None:
    """Leak into the home that is named; `unguarded` says that the variables name no secret."""
    withheld = process.withhold()
    assert len(withheld) == (0 if "unguarded" in sys.argv else len(CANARIES)), withheld
    home = Home(Path(sys.argv[1]))
    home.create()
    write_records(home)
    write_files(home)
    write_log_fields(home)
    write_sql(home)
    write_branch(home)
    with prepare_instance(home) as instance:
        dg.materialize([leaky], instance=instance, tags={"note": TEXT})
        dg.materialize([broken], instance=instance, raise_on_error=False)
    with process.clean_terminal():
        print(render([Link("reply", "r", {"content": TEXT})]))  # noqa: T201
        for piece in pieces(LONGEST_LINE):
            print(UserError(piece, where="w", fix="f"))  # noqa: T201
        for canary in CANARIES:  # is cut within the secret
            print(UserError("- " * 994 + canary, where="cut", fix="f"))  # noqa: T201
    raise RuntimeError(TEXT)


if __name__ == "__main__":
    main()
