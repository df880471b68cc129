"""Where the command begins: it can be stopped from here on, while the rest is being loaded."""

import sys

from rocm_pipeline.errors import EXIT_INTERRUPTED
from rocm_pipeline.interruption import stop_on_signals


def main() -> None:
    stop_on_signals()
    try:
        from rocm_pipeline import cli

        cli.main()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
