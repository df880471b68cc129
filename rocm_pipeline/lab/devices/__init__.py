"""Running kernels on devices: one candidate and launch plan on AMD, NVIDIA and the CPU."""
