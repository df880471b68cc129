import numpy as np


def make_inputs(rng, symbols):
    shape = (symbols["rows"], symbols["cols"])
    return {"x": rng.binomial(63, 0.4, shape)}


def reference(inputs, scalars):
    x = inputs["x"]
    y = np.empty(x.shape, np.int64)
    for row, out in zip(x, y, strict=True):
        below = np.bincount(row, minlength=64).cumsum()
        out[:] = below[row] * 63 // len(row)
    return {"y": y}
