"""Plans and judgements: what is to be done, and what is to be made of it."""

from rocm_pipeline.planning.coordinator import AIDevCoordinator

__all__ = ["AIDevCoordinator"]
