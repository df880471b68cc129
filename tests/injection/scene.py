"""What a test of injections acts on."""

from dataclasses import dataclass

from rocm_pipeline.agents.brief import Brief
from rocm_pipeline.agents.desk import Answer, Desk
from rocm_pipeline.home import Home
from rocm_pipeline.planning.plan import Role, Task
from rocm_pipeline.records.records import Records
from rocm_pipeline.targets.spec import Target
from tests.injection.carriers import CARRIERS
from tests.injection.obedient import ObedientModel
from tests.injection.payloads import order
from tests.injection.watching import Trap, World


@dataclass
class Scene:
    """A desk whose model obeys, in a world that is watched."""

    desk: Desk
    records: Records
    home: Home
    world: World
    target: Target
    tasks: dict[Role, Task]
    model: ObedientModel
    trap: Trap
    host: tuple[str, int]

    def ask(self, carrier: str | None, role: Role, number: int) -> Answer:
        """Ask with payload `number` in the text that `carrier` brings, or with none."""
        brief = Brief(target=self.target, task=self.tasks[role])
        if carrier is not None:
            brief = CARRIERS[carrier](brief, order(number))
        return self.desk.ask(brief, plan_id="plan-1")
