"""Clock frequencies in MHz while kernels run, where the machine lets them be read."""

import ctypes
import glob
import re

_NVML_SM, _NVML_MEMORY = 1, 2


class Clocks:
    """The lowest and highest frequency seen by name, e.g. `sclk`; empty where none can be read."""

    def __init__(self, kind: str, number: int) -> None:
        self.seen: dict[str, list[float]] = {}
        self._read = (_Nvml(number) if kind == "nvidia" else _Sysfs(number)).read

    def sample(self) -> None:
        for name, value in self._read().items():
            low, high = self.seen.get(name, [value, value])
            self.seen[name] = [min(low, value), max(high, value)]


class _Sysfs:
    """amdgpu marks the level in use with a star: `1: 2100Mhz *`."""

    def __init__(self, number: int) -> None:
        folders = sorted(glob.glob("/sys/class/drm/card*/device/pp_dpm_sclk"))
        self.folder = folders[number].rsplit("/", 1)[0] if number < len(folders) else ""

    def read(self) -> "dict[str, float]":
        found: dict[str, float] = {}
        for name in ("sclk", "mclk"):
            try:
                with open(f"{self.folder}/pp_dpm_{name}") as file:
                    level = re.search(r"(\d+)Mhz \*", file.read())
            except OSError:
                continue
            if level:
                found[name] = float(level[1])
        return found


class _Nvml:
    """The management library, which comes with NVIDIA's driver."""

    def __init__(self, number: int) -> None:
        self.handle = ctypes.c_void_p()
        self.library = None
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return
        if library.nvmlInit_v2() == 0 and not library.nvmlDeviceGetHandleByIndex_v2(
            ctypes.c_uint(number), ctypes.byref(self.handle)
        ):
            self.library = library

    def read(self) -> "dict[str, float]":
        found: dict[str, float] = {}
        if self.library is None:
            return found
        for name, clock in (("sm", _NVML_SM), ("memory", _NVML_MEMORY)):
            value = ctypes.c_uint()
            if not self.library.nvmlDeviceGetClockInfo(
                self.handle, ctypes.c_int(clock), ctypes.byref(value)
            ):
                found[name] = float(value.value)
        return found
