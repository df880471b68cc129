import numpy as np


def make_inputs(rng, symbols):
    rows, cols, nonzeros = symbols["rows"], symbols["cols"], symbols["nonzeros"]
    return {
        "row": rng.integers(0, rows, nonzeros),
        "column": rng.integers(0, cols, nonzeros),
        "value": rng.standard_normal(nonzeros),
        "x": rng.standard_normal(cols),
    }


def reference(inputs, scalars):
    products = inputs["value"] * inputs["x"][inputs["column"]]
    return {"y": np.bincount(inputs["row"], products, minlength=scalars["rows"])}
