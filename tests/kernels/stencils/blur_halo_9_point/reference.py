import numpy as np


def make_inputs(rng, symbols):
    return {"x": rng.standard_normal((symbols["h"], symbols["w"]))}


def reference(inputs, scalars):
    x = inputs["x"]
    h, w = x.shape
    padded = np.pad(x, 1, mode="edge")
    weights = np.outer([1, 2, 1], [1, 2, 1]) / 16
    return {
        "y": sum(weights[i, j] * padded[i : i + h, j : j + w] for i in range(3) for j in range(3))
    }
