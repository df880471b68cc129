import numpy as np


def make_inputs(rng, symbols):
    return {"x": rng.standard_normal((symbols["h"], symbols["w"]))}


def reference(inputs, scalars):
    x = inputs["x"]
    h, w = x.shape
    padded, ones = np.pad(x, 2), np.pad(np.ones_like(x), 2)
    windows = [(i, j) for i in range(5) for j in range(5)]
    total = sum(padded[i : i + h, j : j + w] for i, j in windows)
    return {"y": total / sum(ones[i : i + h, j : j + w] for i, j in windows)}
