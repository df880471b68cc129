import numpy as np


def make_inputs(rng, symbols):
    total, bags = symbols["total"], symbols["bags"]
    cuts = np.sort(rng.integers(0, total + 1, bags - 1))
    return {
        "table": rng.standard_normal((symbols["words"], symbols["dim"])),
        "tokens": rng.integers(0, symbols["words"], total),
        "offsets": np.concatenate([[0], cuts, [total]]),
    }


def reference(inputs, scalars):
    tokens, counts = inputs["tokens"], np.diff(inputs["offsets"])
    bag = np.repeat(np.arange(len(counts)), counts)
    real = tokens != 0
    out = np.zeros((len(counts), inputs["table"].shape[1]))
    np.add.at(out, bag[real], inputs["table"][tokens[real]])
    used = np.bincount(bag[real], minlength=len(counts))
    return {"out": out / np.maximum(used, 1)[:, None]}
