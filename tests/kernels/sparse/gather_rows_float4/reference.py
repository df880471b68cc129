def make_inputs(rng, symbols):
    return {
        "table": rng.standard_normal((symbols["size"], symbols["width"])),
        "index": rng.integers(0, symbols["size"], symbols["items"]),
    }


def reference(inputs, scalars):
    return {"out": inputs["table"][inputs["index"]]}
