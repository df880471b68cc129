import numpy as np


def make_inputs(rng, symbols):
    return {"x": rng.standard_normal((symbols["rows"], symbols["cols"]))}


def reference(inputs, scalars):
    index = np.argsort(-inputs["x"], axis=1, kind="stable")[:, :4]
    return {"top": np.take_along_axis(inputs["x"], index, axis=1), "index": index}
