import numpy as np


def make_inputs(rng, symbols):
    channels = symbols["channels"]
    shape = (symbols["images"], channels, symbols["pixels"])
    return {
        "x": rng.standard_normal(shape),
        "gamma": 1.0 + rng.random(channels),
        "beta": rng.standard_normal(channels),
    }


def reference(inputs, scalars):
    x = inputs["x"].reshape(inputs["x"].shape[0], int(scalars["groups"]), -1)
    mean = x.mean(axis=2, keepdims=True)
    variance = x.var(axis=2, keepdims=True)
    y = ((x - mean) / np.sqrt(variance + scalars["eps"])).reshape(inputs["x"].shape)
    return {"y": y * inputs["gamma"][:, None] + inputs["beta"][:, None]}
