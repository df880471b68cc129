"""The policy plays the benchmark's scenarios: nothing is lost, and the bound is one."""

import pytest

from benchmarks.fleet.bounds import makespan_bound
from benchmarks.fleet.scenarios import Scenario, host, scenarios, unequal
from benchmarks.fleet.simulation import Simulation
from tests.fleet.policies import AnyFree

SMALL = [scenario for scenario in scenarios() if scenario.jobs <= 60]


@pytest.mark.parametrize("scenario", SMALL, ids=lambda scenario: scenario.name)
def test_no_job_is_lost_and_none_ends_before_the_bound(scenario: Scenario) -> None:
    ended = Simulation(scenario, seed=0).run()
    assert ended.lost == 0
    assert 1.0 <= ended.makespan / makespan_bound(scenario.hosts, scenario.draw(0)) < 1.7


def test_the_bound_of_one_host_is_its_work_and_one_load_of_each_model() -> None:
    (alone,) = [host("a", 30, 1.0, room=3)]
    jobs = Scenario("one", (alone,), jobs=12).draw(0)
    work = sum(alone.speed(job.model).seconds(job.tokens_in, job.tokens_out) for job in jobs)
    loads = sum(alone.speed(model).load_seconds for model in {job.model for job in jobs})
    assert makespan_bound((alone,), jobs) == pytest.approx(work + loads, rel=0.03)


def test_the_simulation_tells_a_worse_policy_from_ours() -> None:
    scenario = Scenario("unequal", unequal())
    ours = Simulation(scenario, 0).run()
    worse = Simulation(scenario, 0, AnyFree()).run()
    assert worse.lost == 0
    assert worse.makespan > 1.2 * ours.makespan
