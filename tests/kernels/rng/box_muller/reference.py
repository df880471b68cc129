import numpy as np


def make_inputs(rng, symbols):
    words = rng.integers(0, 1 << 32, (symbols["pairs"], 2), dtype=np.uint32)
    words[0, 0] = 0  # the smallest uniform number
    return {"words": words}


def reference(inputs, scalars):
    words = inputs["words"] >> 8
    u, v = (words[:, 0] + 1.0) * 2.0**-24, words[:, 1] * 2.0**-24
    radius = np.sqrt(-2 * np.log(u))
    angle = 2 * np.pi * v
    return {"y": np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)}
