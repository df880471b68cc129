import numpy as np


def make_inputs(rng, symbols):
    n = symbols["n"]
    return {"a": rng.standard_normal(n), "b": rng.standard_normal(n)}


def reference(inputs, scalars):
    return {"y": np.array([inputs["a"] @ inputs["b"]])}
