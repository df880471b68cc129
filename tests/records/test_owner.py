"""Whether the process that did a piece of work is surely gone."""

import os
import subprocess
import time

from rocm_pipeline.records.owner import is_gone, is_gone_since, this_process, this_world


def test_a_living_process_is_not_gone() -> None:
    assert not is_gone(this_process())
    assert not is_gone_since(this_world(), os.getpid(), time.time())


def test_an_ended_process_is_gone() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        seen = time.time()
        assert not is_gone_since(this_world(), process.pid, seen)
        process.kill()
    assert is_gone_since(this_world(), process.pid, seen)


def test_a_process_that_took_over_the_number_of_another_is_not_that_process() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        assert is_gone_since(this_world(), process.pid, time.time() - 3600)
        process.kill()
    world, pid, started = this_process().rsplit(":", 2)
    assert is_gone(f"{world}:{pid}:{int(started) - 1}")


def test_every_process_of_an_earlier_boot_of_this_machine_is_gone() -> None:
    machine, _boot, space = this_world().rsplit("/", 2)
    earlier = f"{machine}/11111111-2222-3333-4444-555555555555/{space}"
    assert is_gone(f"{earlier}:{os.getpid()}:1")
    assert is_gone_since(earlier, os.getpid(), time.time())


def test_nothing_is_said_of_other_machines_and_other_containers() -> None:
    machine, boot, _space = this_world().rsplit("/", 2)
    for world in (f"another{machine}/{boot}/pid:[1]", f"{machine}/{boot}/pid:[1]", ""):
        assert not is_gone(f"{world}:1:1")
        assert not is_gone_since(world, 4194304, time.time())
