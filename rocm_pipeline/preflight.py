"""What a run needs of its settings, refused before Dagster is loaded or anything is made."""

from rocm_pipeline.fleet.hosts import find_config
from rocm_pipeline.fleet.service import require_models
from rocm_pipeline.home import Home
from rocm_pipeline.planning.claude.settings import read_settings


def require_settings(home: Home) -> None:
    """Raise UserError for settings of Claude or of hosts that no run could work with."""
    read_settings(home.path)
    config = find_config(home.path)
    if config is not None:
        require_models(config)
