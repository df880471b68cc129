import numpy as np


def make_inputs(rng, symbols):
    batch, cin, cout = symbols["batch"], symbols["cin"], symbols["cout"]
    return {
        "x": rng.standard_normal((batch, cin, symbols["pixels"])),
        "weight": rng.standard_normal((cout, cin)),
        "bias": rng.standard_normal(cout),
    }


def reference(inputs, scalars):
    y = np.einsum("bcp,oc->bop", inputs["x"], inputs["weight"])
    return {"y": np.maximum(y + inputs["bias"][:, None], 0)}
