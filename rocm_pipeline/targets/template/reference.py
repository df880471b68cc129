"""What the kernel must compute, in float64. Inputs arrive as numpy arrays by name."""


def reference(inputs, symbols, scalars):
    return {"y": 2.0 * inputs["x"] + 1.0}
