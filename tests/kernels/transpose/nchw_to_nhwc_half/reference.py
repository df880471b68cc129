def make_inputs(rng, symbols):
    return {"x": rng.standard_normal((symbols["images"], symbols["channels"], symbols["pixels"]))}


def reference(inputs, scalars):
    return {"y": inputs["x"].transpose(0, 2, 1)}
