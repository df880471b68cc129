def make_inputs(rng, symbols):
    n = symbols["n"]
    return {"x": rng.standard_normal(n), "y": rng.standard_normal(n)}


def reference(inputs, scalars):
    return {"y": scalars["alpha"] * inputs["x"] + inputs["y"]}
