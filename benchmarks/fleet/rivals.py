"""The other arms' own environment: made once, never mixed with the project's."""

import subprocess
import sys
from pathlib import Path

ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv-rivals"
PACKAGES = ("litellm==1.106.2", "ollama-herd==0.11.4")


def environment() -> Path:
    """Return the folder with the rivals' programs, installing them at the first call."""
    programs = ENVIRONMENT / "bin"
    if not all((programs / name).exists() for name in ("litellm", "herd")):
        print(f"Installing {', '.join(PACKAGES)} into {ENVIRONMENT.name} (once) ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        pip = [str(programs / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", *PACKAGES], check=True)
    return programs
