"""Planted kernels: bad and honest ones by which reviewers are measured."""
