"""HIP kernels on the CPU: checked for what a GPU would not forgive, and profiled."""

from rocm_pipeline.lab.emulator.build import BuildFailed, EmulatorBuild, Parameter, Site, SiteKind
from rocm_pipeline.lab.emulator.emulator import Emulator, EmulatorRun, TorchLibrary
from rocm_pipeline.lab.emulator.job import BlockSample
from rocm_pipeline.lab.emulator.profile import LaunchProfile, Lines, Traffic

__all__ = [
    "BlockSample",
    "BuildFailed",
    "Emulator",
    "EmulatorBuild",
    "EmulatorRun",
    "LaunchProfile",
    "Lines",
    "Parameter",
    "Site",
    "SiteKind",
    "TorchLibrary",
    "Traffic",
]
