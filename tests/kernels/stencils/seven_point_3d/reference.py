import numpy as np


def make_inputs(rng, symbols):
    return {"x": rng.standard_normal((symbols["depth"], symbols["h"], symbols["w"]))}


def reference(inputs, scalars):
    x = inputs["x"]
    p = np.pad(x, 1)
    around = p[:-2, 1:-1, 1:-1] + p[2:, 1:-1, 1:-1] + p[1:-1, :-2, 1:-1]
    around += p[1:-1, 2:, 1:-1] + p[1:-1, 1:-1, :-2] + p[1:-1, 1:-1, 2:]
    return {"y": scalars["centre"] * x + scalars["side"] * around}
