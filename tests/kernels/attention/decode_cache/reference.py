import numpy as np


def make_inputs(rng, symbols):
    sequences, room = symbols["sequences"], symbols["room"]
    return {
        "q": rng.standard_normal((sequences, 32)),
        "k_cache": rng.standard_normal((sequences, room, 32)),
        "v_cache": rng.standard_normal((sequences, room, 32)),
        "lengths": rng.integers(1, room + 1, sequences),
    }


def reference(inputs, scalars):
    scores = scalars["scale"] * np.einsum("sd,srd->sr", inputs["q"], inputs["k_cache"])
    unused = np.arange(scores.shape[1]) >= inputs["lengths"][:, None]
    scores = np.where(unused, -np.inf, scores)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return {"out": np.einsum("sr,srd->sd", weights, inputs["v_cache"])}
