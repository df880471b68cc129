"""A measurement on a host's card: its models leave the memory, requests wait until it is over."""

import threading
import time

from tests.fleet.ollama_server import answers
from tests.fleet.worlds import CODER, PATIENT, World, request


def test_a_reserved_host_holds_no_models_and_answers_nobody(world: World) -> None:
    script = world.add("alpha", answers("x"))
    script.loaded = {CODER: (4, 4)}
    fleet = world.fleet()
    fleet.chat(request(seed=1))
    answered = threading.Event()

    def ask() -> None:
        fleet.chat(request(seed=2))
        answered.set()

    with fleet.reserved(world.hosts[0], give_up_seconds=60):
        assert script.loaded == {}
        threading.Thread(target=ask, daemon=True).start()
        assert not answered.wait(0.4)
        assert len(script.chats) == 1
    assert answered.wait(PATIENT.first_token)


def test_a_reservation_waits_for_the_answer_under_way(world: World) -> None:
    script = world.add("alpha", answers("x", after=0.5))
    fleet = world.fleet()
    asking = threading.Thread(target=fleet.chat, args=(request(seed=1),), daemon=True)
    asking.start()
    while not script.running:
        time.sleep(0.01)
    with fleet.reserved(world.hosts[0], give_up_seconds=60):
        assert script.running == 0
    asking.join(PATIENT.first_token)
