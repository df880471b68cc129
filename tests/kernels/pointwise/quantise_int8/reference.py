import numpy as np


def make_inputs(rng, symbols):
    # multiples of 1/8 and a scale of 1/32: the quotient is exact, and some are clamped
    return {"x": rng.integers(-48, 48, symbols["n"]) / 8.0}


def reference(inputs, scalars):
    q = np.rint(inputs["x"] / scalars["scale"])
    return {"q": np.clip(q, -128, 127).astype(np.int64)}
