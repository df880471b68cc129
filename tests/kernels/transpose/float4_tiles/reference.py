def make_inputs(rng, symbols):
    return {"x": rng.standard_normal((symbols["rows"], symbols["cols"]))}


def reference(inputs, scalars):
    return {"y": inputs["x"].T}
