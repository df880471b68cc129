"""Every attack on the sandbox, by name."""

from tests.lab.sandbox.attacks import building, kernel, network, processes, secrets, writing

ATTACKS = {
    attack.name: attack
    for module in (secrets, writing, network, processes, kernel, building)
    for attack in module.ATTACKS
}
