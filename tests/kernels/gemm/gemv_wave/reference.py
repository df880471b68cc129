def make_inputs(rng, symbols):
    rows, cols = symbols["rows"], symbols["cols"]
    return {"a": rng.standard_normal((rows, cols)), "x": rng.standard_normal(cols)}


def reference(inputs, scalars):
    return {"y": inputs["a"] @ inputs["x"]}
