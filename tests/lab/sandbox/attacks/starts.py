"""How the product starts Python in the sandbox: the options on each of its own command lines."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from rocm_pipeline.integration.interpreter import interpreter
from rocm_pipeline.lab import contained_reference
from rocm_pipeline.lab.devices import job as device_job
from rocm_pipeline.lab.devices.model import Driver, Kind
from rocm_pipeline.lab.emulator import job as emulator_job

_DRIVER = Driver(kind=Kind.CPU, library=Path("/lib.so"), readonly={}, nodes={})


def product_starts() -> dict[str, list[str]]:
    """Return Python's options by what is started with them."""
    emulated, _ = emulator_job.command(Path("/given"))
    on_a_device, _ = device_job.command(_DRIVER)
    referred, _ = contained_reference.command()
    return {
        "a kernel on the emulator": _options(emulated),
        "a kernel on a device": _options(on_a_device),
        "a stranger's reference": _options(referred),
        "an operator": _options(interpreter().argv("module")),
    }


def _options(argv: Sequence[str]) -> list[str]:
    """Return what lies between Python and its program."""
    words = itertools.takewhile(lambda word: word.startswith("-") and word != "-c", argv[1:])
    return list(words)
