import numpy as np


def make_inputs(rng, symbols):
    items, size, width = symbols["items"], symbols["size"], symbols["width"]
    return {
        "update": rng.standard_normal((items, width)),
        "index": rng.integers(-size, size, items),
        "table": rng.standard_normal((size, width)),
    }


def reference(inputs, scalars):
    table = inputs["table"].copy()
    np.add.at(table, inputs["index"], inputs["update"])
    return {"table": table}
