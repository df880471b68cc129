import numpy as np


def make_inputs(rng, symbols):
    return {
        "a": np.sort(rng.standard_normal(symbols["m"])),
        "b": np.sort(rng.standard_normal(symbols["n"])),
    }


def reference(inputs, scalars):
    return {"y": np.sort(np.concatenate([inputs["a"], inputs["b"]]))}
