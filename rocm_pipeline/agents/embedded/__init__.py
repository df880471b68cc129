"""The embedded agent: answers on Ollama's protocol from templates; it is no language model."""

from rocm_pipeline.agents.embedded.model import MODEL, model_digest
from rocm_pipeline.agents.embedded.server import EmbeddedServer

__all__ = ["MODEL", "EmbeddedServer", "model_digest"]
