import numpy as np


def make_inputs(rng, symbols):
    rows, cols, nonzeros = symbols["rows"], symbols["cols"], symbols["nonzeros"]
    cuts = np.sort(rng.integers(0, nonzeros + 1, rows - 1))
    return {
        "row_start": np.concatenate([[0], cuts, [nonzeros]]),
        "column": rng.integers(0, cols, nonzeros),
        "value": rng.standard_normal(nonzeros),
        "x": rng.standard_normal(cols),
    }


def reference(inputs, scalars):
    start = inputs["row_start"]
    rows = np.repeat(np.arange(len(start) - 1), np.diff(start))
    products = inputs["value"] * inputs["x"][inputs["column"]]
    return {"y": np.bincount(rows, products, minlength=len(start) - 1)}
