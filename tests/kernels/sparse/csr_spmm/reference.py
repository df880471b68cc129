import numpy as np


def make_inputs(rng, symbols):
    rows, cols, nonzeros = symbols["rows"], symbols["cols"], symbols["nonzeros"]
    cuts = np.sort(rng.integers(0, nonzeros + 1, rows - 1))
    return {
        "row_start": np.concatenate([[0], cuts, [nonzeros]]),
        "column": rng.integers(0, cols, nonzeros),
        "value": rng.standard_normal(nonzeros),
        "x": rng.standard_normal((cols, symbols["width"])),
    }


def reference(inputs, scalars):
    start = inputs["row_start"]
    y = np.zeros((len(start) - 1, scalars["width"]))
    rows = np.repeat(np.arange(len(y)), np.diff(start))
    np.add.at(y, rows, inputs["value"][:, None] * inputs["x"][inputs["column"]])
    return {"y": y}
