def make_inputs(rng, symbols):
    m, n, k = symbols["m"], symbols["n"], symbols["k"]
    return {"a": rng.standard_normal((m, k)), "b": rng.standard_normal((k, n))}


def reference(inputs, scalars):
    return {"c": inputs["a"] @ inputs["b"]}
