def make_inputs(rng, symbols):
    batch, m, n, k = (symbols[name] for name in ("batch", "m", "n", "k"))
    return {"a": rng.standard_normal((batch, k, m)), "b": rng.standard_normal((batch, k, n))}


def reference(inputs, scalars):
    return {"c": inputs["a"].transpose(0, 2, 1) @ inputs["b"]}
