"""A desk with an obedient model, in a world that is watched."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rocm_pipeline.agents.desk import Desk
from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.home import Home
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.publishing.example import ensure_example
from rocm_pipeline.records.records import Records
from rocm_pipeline.redaction import process as redaction
from rocm_pipeline.redaction.redactor import Redactor
from rocm_pipeline.targets import library
from tests.fleet.ollama_server import Script, serving
from tests.injection.obedient import ObedientModel
from tests.injection.payloads import CANARY
from tests.injection.scene import Scene
from tests.injection.watching import Trap, World


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("INJECTED_TEST_TOKEN", CANARY)
    monkeypatch.setattr(redaction, "_State", type("State", (), {"redactor": Redactor()}))
    redaction.learn(os.environ)
    home = Home(tmp_path / "home")
    home.create()
    ensure_example(tmp_path / "repository")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious.txt").write_text("precious")
    monkeypatch.chdir(tmp_path / "outside")
    target = library.load("row_softmax", tmp_path)
    trap = Trap()
    model = ObedientModel(trap.url)
    records = Records.open(home.records_url, str(home.store))
    with serving(Script(model)) as url:
        fleet = Fleet((Host(name="obedient", url=url),), records.journal, records.leases)
        fleet.survey(require=True)
        tasks = {t.role: t for t in reversed(make_plan(target, "c0ffee", ()).tasks)}
        parts = urlsplit(url)
        yield Scene(
            desk=Desk(fleet, records),
            records=records,
            home=home,
            world=World(tmp_path / "outside", tmp_path / "repository", home.path),
            target=target,
            tasks=tasks,
            model=model,
            trap=trap,
            host=(str(parts.hostname), int(parts.port or 0)),
        )
    records.close()
    trap.close()
