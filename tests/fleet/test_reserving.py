"""A measurement on a host's card: its models leave the memory, requests wait until it is over."""

import threading
import time
from contextlib import ExitStack
from pathlib import Path

from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.records.records import Records
from tests.fleet.ollama_server import Script, answers, serving
from tests.fleet.test_hedges import CODER, QUICK, SOON, request


def test_a_reserved_host_holds_no_models_and_answers_nobody(tmp_path: Path) -> None:
    records = Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))
    script = Script(answers("x"), models={CODER: "digest"}, loaded={CODER: (4, 4)})
    with ExitStack() as stack:
        host = Host(name="alpha", url=stack.enter_context(serving(script)))
        fleet = Fleet([host], records.journal, records.leases, deadlines=QUICK, back_off=SOON)
        fleet.chat(request(1))
        answered = threading.Event()

        def ask() -> None:
            fleet.chat(request(2))
            answered.set()

        with fleet.reserved(host, give_up_seconds=60):
            assert script.loaded == {}
            threading.Thread(target=ask, daemon=True).start()
            assert not answered.wait(0.4)
            assert len(script.chats) == 1
        assert answered.wait(5)


def test_a_reservation_waits_for_the_answer_under_way(tmp_path: Path) -> None:
    records = Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))
    script = Script(answers("x", after=0.5), models={CODER: "digest"})
    with serving(script) as url:
        host = Host(name="alpha", url=url)
        fleet = Fleet([host], records.journal, records.leases, deadlines=QUICK, back_off=SOON)
        asking = threading.Thread(target=fleet.chat, args=(request(1),), daemon=True)
        asking.start()
        while not script.running:
            time.sleep(0.01)
        with fleet.reserved(host, give_up_seconds=60):
            assert script.running == 0
        asking.join(5)
