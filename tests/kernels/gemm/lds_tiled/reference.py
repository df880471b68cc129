import numpy as np


def make_inputs(rng, symbols):
    m, n, k = symbols["m"], symbols["n"], symbols["k"]
    return {
        "a": rng.standard_normal((m, k)),
        "b": rng.standard_normal((k, n)),
        "c": rng.standard_normal((m, n)),
    }


def reference(inputs, scalars):
    product = np.matmul(inputs["a"], inputs["b"])
    return {"c": scalars["alpha"] * product + scalars["beta"] * inputs["c"]}
