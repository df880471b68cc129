import numpy as np


def make_inputs(rng, symbols):
    n, segments = symbols["n"], symbols["segments"]
    cuts = np.sort(rng.integers(0, n + 1, segments - 1))
    return {"x": rng.standard_normal(n), "offsets": np.concatenate([[0], cuts, [n]])}


def reference(inputs, scalars):
    counts = np.diff(inputs["offsets"])
    segment = np.repeat(np.arange(len(counts)), counts)
    sums = np.bincount(segment, inputs["x"], minlength=len(counts))
    return {"y": sums / np.maximum(counts, 1)}
