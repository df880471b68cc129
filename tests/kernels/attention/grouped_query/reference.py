import numpy as np


def make_inputs(rng, symbols):
    kv_heads, group, tokens = symbols["kv_heads"], symbols["group"], symbols["tokens"]
    return {
        "q": rng.standard_normal((kv_heads * group, tokens, 32)),
        "k": rng.standard_normal((kv_heads, tokens, 32)),
        "v": rng.standard_normal((kv_heads, tokens, 32)),
    }


def reference(inputs, scalars):
    group = scalars["group"]
    keys, values = (np.repeat(inputs[name], group, axis=0) for name in ("k", "v"))
    scores = scalars["scale"] * inputs["q"] @ keys.transpose(0, 2, 1)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return {"out": weights / weights.sum(axis=-1, keepdims=True) @ values}
