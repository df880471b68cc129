"""z = alpha * x + y, in float64."""


def reference(inputs, symbols, scalars):
    return {"z": scalars["alpha"] * inputs["x"] + inputs["y"]}
