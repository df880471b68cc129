"""The program that the sandbox runs: functions of somebody's `reference.py`, on given values.

Started by a bare interpreter with numpy's folder on its path. `/job` is read-only; the answers are
left in the folder it starts in. The file may do what it likes there: what it leaves is checked.
"""

import json
import os
import sys
from typing import Any


def main(job: str, packages: str) -> None:
    """Run every request of `job`: `make_inputs` for a seed, or `reference` on arrays.

    Each leaves its names or, in words, what went wrong; a request that fails does not keep the next
    from being run.
    """
    sys.path.append(packages)
    import numpy as np

    box = os.getcwd()
    with open(f"{job}/requests.json", encoding="utf-8") as file:
        requests = json.load(file)
    namespace: dict[str, object] = {"__name__": "reference"}
    with open(f"{job}/reference.py", encoding="utf-8") as file:
        # in the sandbox, where this program is
        exec(compile(file.read(), "reference.py", "exec"), namespace)  # noqa: S102
    with open(f"{box}/loaded", "w", encoding="utf-8") as file:
        file.write("yes")

    def answer(number: int, request: dict[str, Any]) -> list[str]:
        call = namespace.get(request["function"])
        if not callable(call):
            raise NameError(f"it defines no function '{request['function']}'")
        if request["function"] == "make_inputs":
            found = call(np.random.default_rng(request["seed"]), dict(request["values"]))
        else:
            inputs = {
                name: np.load(f"{job}/{number}.{name}.npy", allow_pickle=False)
                for name in request["inputs"]
            }
            found = call(inputs, dict(request["values"]))
        if not isinstance(found, dict):
            raise TypeError(f"{request['function']} returns {type(found).__name__}, not a dict")
        for name in request["outputs"]:
            if name in found:
                np.save(f"{box}/{number}.{name}.npy", np.asarray(found[name]), allow_pickle=False)
        return [str(name) for name in found]

    for number, request in enumerate(requests):
        try:
            said: dict[str, object] = {"names": answer(number, request)}
        except Exception as error:
            said = {"failed": f"{type(error).__name__}: {error}"[:1000]}
        with open(f"{box}/{number}.partial", "w", encoding="utf-8") as file:
            json.dump(said, file)
        # whole or not there at all: where the process is killed, the rest is asked of another one
        os.replace(f"{box}/{number}.partial", f"{box}/{number}.json")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
