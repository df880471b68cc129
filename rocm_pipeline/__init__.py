"""A software factory for AMD GPU kernels."""

__version__ = "0.1.0"
