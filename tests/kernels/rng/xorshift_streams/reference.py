import numpy as np


def make_inputs(rng, symbols):
    return {}


def reference(inputs, scalars):
    state = (scalars["seed"] + np.arange(scalars["streams"])).astype(np.uint32)
    state ^= state >> 16
    state *= np.uint32(0x7FEB352D)
    state ^= state >> 15
    state *= np.uint32(0x846CA68B)
    state = (state ^ state >> 16) | np.uint32(1)
    y = np.empty((8, len(state)), np.uint32)
    for row in y:
        state ^= state << 13
        state ^= state >> 17
        state ^= state << 5
        row[:] = state
    return {"y": y}
