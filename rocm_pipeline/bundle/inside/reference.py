"""The program that the sandbox runs: a stranger's reference, once."""

import json
from pathlib import Path

import numpy as np

VALUES = "values.json"
SOURCE = "reference.py"


def main(folder: str) -> None:
    """Call `reference` on the arrays in `folder`; leave each output as an array in the box.

    The box is the folder that the program starts in; the reference may leave it.
    """
    job, box = Path(folder), Path.cwd()
    values = json.loads((job / VALUES).read_text(encoding="utf-8"))
    inputs = {name: np.load(job / f"{name}.npy", allow_pickle=False) for name in values["inputs"]}
    namespace: dict[str, object] = {}
    exec((job / SOURCE).read_text(encoding="utf-8"), namespace)  # noqa: S102 - in the sandbox
    found = namespace["reference"](inputs, values["symbols"], values["scalars"])  # type: ignore[operator]
    for name in values["outputs"]:
        np.save(box / f"{name}.npy", np.asarray(found[name]), allow_pickle=False)
