"""Attention forward in float64."""

import numpy as np


def reference(inputs, symbols, scalars):
    q, k, v = inputs["q"], inputs["k"], inputs["v"]
    scores = scalars["scale"] * np.einsum("hqd,hkd->hqk", q, k)
    if symbols["causal"]:
        seq = symbols["seq"]
        scores = np.where(np.tril(np.ones((seq, seq), dtype=bool)), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return {"o": np.einsum("hqk,hkd->hqd", weights, v)}
