"""What this machine has, what that enables, and how to add what is missing."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet.hosts import find_config
from rocm_pipeline.fleet.inventory import Inventory
from rocm_pipeline.fleet.transport import Deadlines
from rocm_pipeline.home import REPOSITORY_VARIABLE, Home, rounds
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.planning.claude.settings import KEY_VARIABLE, has_key, read_settings
from rocm_pipeline.publishing import repository
from rocm_pipeline.redaction import environment

ENOUGH_DISK = 2 << 30
_DEVICE_ENABLES = "`rocm-pipeline device`: kernels run and timed; the pipeline only estimates times"


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report. `needed`: without it the pipeline cannot run at all."""

    name: str
    found: bool
    detail: str
    enables: str
    add: str
    needed: bool = False


def examine(home: Home) -> list[Check]:
    """Look at everything; nothing is changed and nothing is asked of the network but the hosts."""
    looks: tuple[Callable[[Home], Check], ...] = (
        _python,
        _home,
        _databases,
        _git,
        _repository,
        _settings,
        _sandbox,
        _toolchain,
        _torch,
        _amd_gpu,
        _nvidia_gpu,
        _hosts,
        _key,
        _secrets,
    )
    return [look(home) for look in looks]


def _python(_: Home) -> Check:
    return Check(
        "Python",
        True,
        f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores",
        "everything",
        "",
        needed=True,
    )


def _home(home: Home) -> Check:
    there = next(p for p in (home.path, *home.path.parents) if os.access(p, os.F_OK))
    free = shutil.disk_usage(there).free
    usable = there.is_dir() and os.access(there, os.R_OK | os.W_OK | os.X_OK)
    detail = f"{home.path}, {free >> 30} GiB free" + (
        "" if usable else f", {there} is no folder that can be read and written"
    )
    return Check(
        "home",
        usable and free >= ENOUGH_DISK,
        detail,
        "keeps every answer, kernel and record",
        "Free 2 GiB there, or set ROCM_PIPELINE_HOME.",
        needed=True,
    )


def _databases(home: Home) -> Check:
    damaged = [str(path) for path in home.damaged_databases()]
    return Check(
        "databases",
        not damaged,
        f"damaged: {', '.join(damaged)}" if damaged else "none is damaged at first sight",
        "what was asked, answered, measured and run",
        "Move the damaged file away, or restore it from a copy.",
        needed=True,
    )


def _git(_: Home) -> Check:
    found = shutil.which("git")
    return Check(
        "git",
        found is not None,
        found or "not found",
        "reads the configured repository and makes branches",
        "apt-get install git",
        needed=True,
    )


def _repository(home: Home) -> Check:
    enables = "where kernels come from and branches go"
    if not os.environ.get(REPOSITORY_VARIABLE):
        return Check("repository", True, "the built-in example", enables, "", needed=True)
    try:
        commit = repository.head(home.repository)
    except UserError as error:
        detail = f"{error.where}: {error.what}"
        return Check("repository", False, detail, enables, error.fix, needed=True)
    detail = f"{home.repository} at {commit[:12]}"
    return Check("repository", True, detail, enables, "", needed=True)


def _settings(_: Home) -> Check:
    enables = "rounds of a kernel task, and when the nightly run starts"
    try:
        answers = rounds()
        # Dagster reads the cron line while the module is imported, as `run` then does
        from rocm_pipeline.automation.schedules import nightly_cron

        cron = nightly_cron(os.environ)
    except UserError as error:
        detail = f"{error.where}: {error.what}"
        return Check("settings", False, detail, enables, error.fix, needed=True)
    detail = f"{answers} rounds, each night at cron '{cron}' UTC"
    return Check("settings", True, detail, enables, "", needed=True)


def _sandbox(_: Home) -> Check:
    enables = "compiles and runs what agents wrote; nothing of theirs runs without it"
    try:
        return Check("sandbox", True, Sandbox.detect().identity, enables, "", needed=True)
    except UserError as error:
        return Check("sandbox", False, error.what, enables, error.fix, needed=True)


def _toolchain(home: Home) -> Check:
    enables = "compiles for six AMD architectures and runs kernels on the CPU"
    try:
        detail = Toolchain(Sandbox.detect(), home.cache / "device").identity
        return Check("toolchain", True, detail, enables, "", needed=True)
    except UserError as error:
        return Check("toolchain", False, error.what, enables, error.fix, needed=True)


def _torch(_: Home) -> Check:
    enables = "verifies the PyTorch operators (opcheck, gradcheck, torch.compile)"
    if find_spec("torch") is None:
        add = (
            "Run: .venv/bin/pip install torch (README says how to get the smaller CPU build); "
            "without it that check is NOT_RUN"
        )
        return Check("PyTorch", False, "not installed", enables, add)
    try:
        detail = version("torch")
    except PackageNotFoundError:
        detail = "version unknown"
    return Check("PyTorch", True, detail, enables, "")


def _amd_gpu(_: Home) -> Check:
    found = Path("/dev/kfd").exists()
    detail = _gpu_name() if found else "no /dev/kfd"
    add = "Install the amdgpu driver, and join the groups render and video"
    return Check("AMD GPU", found, detail, _DEVICE_ENABLES, add)


def _nvidia_gpu(_: Home) -> Check:
    found = Path("/dev/nvidiactl").exists()
    detail = "found (/dev/nvidiactl)" if found else "no /dev/nvidiactl"
    add = "Install NVIDIA's driver, and CUDA's nvcc or NVRTC"
    return Check("NVIDIA GPU", found, detail, _DEVICE_ENABLES, add)


def _gpu_name() -> str:
    tool = shutil.which("rocminfo")
    if tool is None:
        return "found (/dev/kfd); rocminfo is not installed, so its name is unknown"
    try:
        text = subprocess.run([tool], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return "found (/dev/kfd); rocminfo did not answer"
    names = {line.split()[-1] for line in text.splitlines() if " gfx" in line and "Name:" in line}
    return ", ".join(sorted(names)) or "found (/dev/kfd)"


def _hosts(home: Home) -> Check:
    """Hosts are needed once configured: nothing else answers in the place of those."""
    enables = "language models that write kernels, operators, tests and documentation"
    add = (
        "Set OLLAMA_HOST, or `rocm-pipeline fleet discover HOST... --write`; until then the "
        "embedded agent answers"
    )
    try:
        config = find_config(home.path)
    except UserError as error:
        detail = f"{error.where}: {error.what}"
        return Check("Ollama hosts", False, detail, enables, error.fix, needed=True)
    if config is None:
        return Check("Ollama hosts", False, "none configured", enables, add)
    reports = Inventory(config.hosts, config.preferences, Deadlines()).reports()
    words = [f"{r.host.name}: {r.error or f'{len(r.models)} models'}" for r in reports]
    add = (
        "Start it (ollama serve), let it fetch models (rocm-pipeline fleet pull), or correct "
        "fleet.yaml or OLLAMA_HOST."
    )
    usable = any(report.models for report in reports)
    return Check("Ollama hosts", usable, "; ".join(words), enables, add, needed=True)


def _key(home: Home) -> Check:
    enables = "planning, hints and final review by Claude; rules do it without"
    try:
        settings = read_settings(home.path)
    except UserError as error:
        detail = f"{error.where}: {error.what}"
        return Check("Claude", False, detail, enables, error.fix, needed=True)
    if not has_key():
        add = f"Set {KEY_VARIABLE}; `claude.yaml` in the home holds models and budgets."
        return Check("Claude", False, f"{KEY_VARIABLE} is not set", enables, add)
    models = sorted({call.model for call in settings.calls.values()})
    limit = settings.budgets.day.usd
    within = "no daily limit" if limit is None else f"at most ${limit:g} a day"
    detail = f"{KEY_VARIABLE} is set; {', '.join(models)}; {within}"
    return Check("Claude", True, detail, enables, "")


def _secrets(_: Home) -> Check:
    weak = environment.find(os.environ).weak
    return Check(
        "secrets",
        not weak,
        f"too like ordinary words: {', '.join(weak)}" if weak else "all can be told from words",
        "keeps the values of variables out of everything that is written",
        f"Give them {environment.SHORTEST_SECRET} characters or more, letters and digits.",
    )
