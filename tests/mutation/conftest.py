"""The lab's small target, for the rules about device code."""

from tests.lab.conftest import candidate_of, target

__all__ = ["candidate_of", "target"]
