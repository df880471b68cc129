import numpy as np


def make_inputs(rng, symbols):
    shape = (symbols["width"], symbols["rows"])
    return {
        "column": rng.integers(-1, symbols["cols"], shape),
        "value": rng.standard_normal(shape),
        "x": rng.standard_normal(symbols["cols"]),
    }


def reference(inputs, scalars):
    column = inputs["column"]
    taken = np.where(column >= 0, inputs["x"][column], 0)
    return {"y": (inputs["value"] * taken).sum(axis=0)}
