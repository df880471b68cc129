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


def reference_at(inputs, symbols, scalars, places):
    heads, queries, columns = places["o"]
    seq = symbols["seq"]
    o = np.empty(heads.shape)
    for head in np.unique(heads):
        here = np.flatnonzero(heads == head)
        needed, which = np.unique(queries[here], return_inverse=True)
        q, k, v = (inputs[name][head].astype(np.float64) for name in "qkv")
        scores = scalars["scale"] * (q[needed] @ k.T)
        if symbols["causal"]:
            scores = np.where(np.arange(seq) <= needed[:, None], scores, -np.inf)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        o[here] = (weights @ v)[which, columns[here]]
    return {"o": o}
