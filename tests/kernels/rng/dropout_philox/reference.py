import numpy as np


def philox(counter, key):
    """Philox 4x32-10: counters of shape (n, 4), one key of two words."""
    c = [counter[:, i].astype(np.uint64) for i in range(4)]
    k = [np.uint64(key[0]), np.uint64(key[1])]
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [b >> np.uint64(32) ^ c[1] ^ k[0], b & low, a >> np.uint64(32) ^ c[3] ^ k[1], a & low]
        k = [(k[0] + np.uint64(0x9E3779B9)) & low, (k[1] + np.uint64(0xBB67AE85)) & low]
    return np.stack(c, axis=1)


def make_inputs(rng, symbols):
    return {"x": rng.standard_normal(symbols["n"])}


def reference(inputs, scalars):
    x = inputs["x"]
    counter = np.zeros((-(-len(x) // 4), 4), np.uint64)
    counter[:, 0] = np.arange(len(counter))
    words = philox(counter, (scalars["seed"], 0)).ravel()[: len(x)]
    kept = (words >> np.uint64(8)) * 2.0**-24 < scalars["keep"]
    return {"y": np.where(kept, x / scalars["keep"], 0.0)}
