"""What a run needs of its settings, refused before Dagster is loaded or anything is made."""

import os

from rocm_pipeline.fleet.hosts import find_config
from rocm_pipeline.fleet.service import require_models
from rocm_pipeline.home import REPOSITORY_VARIABLE, Home, rounds
from rocm_pipeline.planning.claude.settings import read_settings
from rocm_pipeline.publishing import repository


def require_settings(home: Home) -> None:
    """Raise UserError for settings that no run could work with."""
    rounds()
    if os.environ.get(REPOSITORY_VARIABLE):
        repository.head(home.repository)
    read_settings(home.path)
    config = find_config(home.path)
    if config is not None:
        require_models(config)
