def make_inputs(rng, symbols):
    return {"x": rng.standard_normal((symbols["n"], symbols["n"]))}


def reference(inputs, scalars):
    return {"x": inputs["x"].T}
