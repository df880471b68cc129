import numpy as np


def make_inputs(rng, symbols):
    shape = (symbols["h"], symbols["w"])
    return {"u": rng.standard_normal(shape), "f": rng.standard_normal(shape)}


def reference(inputs, scalars):
    u, f = inputs["u"].copy(), inputs["f"]
    inner = np.add.outer(np.arange(1, len(u) - 1), np.arange(1, u.shape[1] - 1)) % 2
    for colour in range(2):
        around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
        u[1:-1, 1:-1] = np.where(inner == colour, 0.25 * (around - f[1:-1, 1:-1]), u[1:-1, 1:-1])
    return {"u": u}
