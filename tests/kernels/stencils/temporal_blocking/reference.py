import numpy as np


def make_inputs(rng, symbols):
    return {"x": rng.standard_normal((symbols["rows"], symbols["n"]))}


def reference(inputs, scalars):
    y = inputs["x"]
    for _ in range(2):
        padded = np.pad(y, ((0, 0), (1, 1)))
        y = 0.25 * padded[:, :-2] + 0.5 * padded[:, 1:-1] + 0.25 * padded[:, 2:]
    return {"y": y}
