def make_inputs(rng, symbols):
    # few different values, all below zero: there are ties in every row
    return {"x": -1.0 - rng.integers(0, 9, (symbols["rows"], symbols["cols"]))}


def reference(inputs, scalars):
    return {"index": inputs["x"].argmax(axis=1)}
