import numpy as np


def make_inputs(rng, symbols):
    batch, cin, cout, h, w = (symbols[name] for name in ("batch", "cin", "cout", "h", "w"))
    return {
        "x": rng.standard_normal((batch, cin, h, w)),
        "weight": rng.standard_normal((cout, cin, 3, 3)),
    }


def reference(inputs, scalars):
    x, weight = inputs["x"], inputs["weight"]
    h, w = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    y = np.zeros((x.shape[0], weight.shape[0], h, w))
    for dy in range(3):
        for dx in range(3):
            window = padded[:, :, dy : dy + h, dx : dx + w]
            y += np.einsum("bchw,oc->bohw", window, weight[:, :, dy, dx])
    return {"y": y}
