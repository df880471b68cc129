"""What machine the figures were taken on; printed above every table."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def facts() -> str:
    """Return one line of machine facts."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB; "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"ziglang {version('ziglang')}, dagster {version('dagster')}; load {load}"
    )


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _memory_gib() -> float:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal"):
            return int(line.split()[1]) / (1 << 20)
    return 0.0


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
