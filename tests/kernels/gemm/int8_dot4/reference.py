import numpy as np


def make_inputs(rng, symbols):
    m, n, k = symbols["m"], symbols["n"], symbols["k"]
    return {"a": rng.integers(-128, 128, (m, k)), "b": rng.integers(-128, 128, (n, k))}


def reference(inputs, scalars):
    return {"c": inputs["a"].astype(np.int64) @ inputs["b"].astype(np.int64).T}
