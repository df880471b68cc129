import numpy as np


def make_inputs(rng, symbols):
    return {"x": 3 * rng.standard_normal((symbols["rows"], symbols["cols"]))}


def reference(inputs, scalars):
    e = np.exp(inputs["x"] - inputs["x"].max(axis=1, keepdims=True))
    return {"y": e / e.sum(axis=1, keepdims=True)}
