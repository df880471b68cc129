"""Softmax over the last dimension, in float64."""

import numpy as np


def reference(inputs, symbols, scalars):
    x = inputs["x"]
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    return {"y": shifted / shifted.sum(axis=-1, keepdims=True)}


def reference_at(inputs, symbols, scalars, places):
    rows, cols = places["y"]
    needed, which = np.unique(rows, return_inverse=True)
    y = reference({"x": inputs["x"][needed].astype(np.float64)}, symbols, scalars)["y"]
    return {"y": y[which, cols]}
