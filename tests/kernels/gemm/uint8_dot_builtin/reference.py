import numpy as np


def make_inputs(rng, symbols):
    rows, cols = symbols["rows"], symbols["cols"]
    return {"a": rng.integers(0, 256, (rows, cols)), "x": rng.integers(0, 256, cols)}


def reference(inputs, scalars):
    weights = inputs["a"].astype(np.int64) - scalars["zero"]
    return {"y": scalars["scale"] * (weights @ inputs["x"].astype(np.int64)).astype(np.float64)}
