"""NVIDIA GPUs through libcuda, by the C interface of its driver (cuda.h)."""

import ctypes

from rocm_pipeline.lab.devices.runtime.library import DriverError, Library

# CUdevice_attribute
_WAVE, _CLOCK_RATE, _COMPUTE_UNITS, _L2_BYTES = 10, 13, 16, 38
_MAJOR, _MINOR, _SHARED_BYTES = 75, 76, 97
# CUfunction_attribute
_MOST_DYNAMIC_SHARED = 8
_WITHOUT_ASKING = 48 * 1024
# CUjit_option
_LOG, _LOG_BYTES = 5, 6
_LOG_SIZE = 8192
HASH_NAME = b"rocm_pipeline_source_sha256"
"""The constant in which a module carries the hash of its source."""


def _words(functions: ctypes.CDLL, status: int) -> str:
    text = ctypes.c_char_p()
    if functions.cuGetErrorString(ctypes.c_int(status), ctypes.byref(text)) or not text.value:
        return "unknown error"
    return text.value.decode(errors="replace")


class Gpu:
    """One NVIDIA GPU."""

    def __init__(self, path: str, number: int) -> None:
        self.library = Library(path, _words)
        self.library.call("cuInit", ctypes.c_uint(0))
        count = self.library.integer("cuDeviceGetCount")
        if number >= count:
            raise DriverError(f"there is no device {number}; the driver knows {count}")
        self.device = self.library.integer("cuDeviceGet", ctypes.c_int(number))
        context = ctypes.c_void_p()
        self.library.call(
            "cuDevicePrimaryCtxRetain", ctypes.byref(context), ctypes.c_int(self.device)
        )
        self.library.call("cuCtxSetCurrent", context)
        stream = ctypes.c_void_p()
        self.library.call("cuStreamCreate", ctypes.byref(stream), ctypes.c_uint(0))
        self.stream = stream

    def facts(self) -> "dict[str, object]":
        """Name, architecture and sizes, as the driver tells them."""
        call = self.library
        name = ctypes.create_string_buffer(256)
        call.call("cuDeviceGetName", name, ctypes.c_int(256), ctypes.c_int(self.device))
        memory = ctypes.c_size_t()
        call.call("cuDeviceTotalMem_v2", ctypes.byref(memory), ctypes.c_int(self.device))
        return {
            "name": name.value.decode(errors="replace") or "NVIDIA GPU",
            "architecture": f"sm_{self._attribute(_MAJOR)}{self._attribute(_MINOR)}",
            "wave": self._attribute(_WAVE),
            "memory_bytes": memory.value,
            "cache_bytes": self._attribute(_L2_BYTES),
            "compute_units": self._attribute(_COMPUTE_UNITS),
            "shared_bytes": self._attribute(_SHARED_BYTES),
            "clock_mhz": self._attribute(_CLOCK_RATE) // 1000,
            "driver": f"CUDA {call.integer('cuDriverGetVersion')}",
        }

    def _attribute(self, number: int) -> int:
        return self.library.integer(
            "cuDeviceGetAttribute", ctypes.c_int(number), ctypes.c_int(self.device)
        )

    def load(self, image: bytes) -> ctypes.c_void_p:
        """Load PTX, which the driver compiles for its device; its complaints are in the error."""
        module = ctypes.c_void_p()
        log = ctypes.create_string_buffer(_LOG_SIZE)
        options = (ctypes.c_int * 2)(_LOG, _LOG_BYTES)
        values = (ctypes.c_void_p * 2)(ctypes.addressof(log), _LOG_SIZE)
        try:
            self.library.call(
                "cuModuleLoadDataEx",
                ctypes.byref(module),
                ctypes.c_char_p(image),
                ctypes.c_uint(2),
                options,
                values,
            )
        except DriverError as error:
            said = " ".join(log.value.decode(errors="replace").split())
            raise DriverError(f"{error} {said}".strip()) from error
        return module

    def carried_hash(self, module: ctypes.c_void_p) -> str:
        """The hash of the source, read back from the module on the device."""
        place, size = ctypes.c_uint64(), ctypes.c_size_t()
        self.library.call(
            "cuModuleGetGlobal_v2",
            ctypes.byref(place),
            ctypes.byref(size),
            module,
            ctypes.c_char_p(HASH_NAME),
        )
        return self.read(place.value, min(size.value, 64)).hex()

    def function(self, module: ctypes.c_void_p, name: str, shared_bytes: int) -> ctypes.c_void_p:
        function = ctypes.c_void_p()
        self.library.call(
            "cuModuleGetFunction", ctypes.byref(function), module, ctypes.c_char_p(name.encode())
        )
        if shared_bytes > _WITHOUT_ASKING:
            self.library.call(
                "cuFuncSetAttribute",
                function,
                ctypes.c_int(_MOST_DYNAMIC_SHARED),
                ctypes.c_int(shared_bytes),
            )
        return function

    def allocate(self, size: int) -> int:
        place = ctypes.c_uint64()
        self.library.call("cuMemAlloc_v2", ctypes.byref(place), ctypes.c_size_t(size))
        return place.value

    def write(self, place: int, content: bytes) -> None:
        self.library.call(
            "cuMemcpyHtoD_v2",
            ctypes.c_uint64(place),
            ctypes.c_char_p(content),
            ctypes.c_size_t(len(content)),
        )

    def read(self, place: int, size: int) -> bytes:
        content = ctypes.create_string_buffer(size)
        self.library.call("cuMemcpyDtoH_v2", content, ctypes.c_uint64(place), ctypes.c_size_t(size))
        return content.raw

    def fill(self, place: int, byte: int, size: int) -> None:
        self.library.call(
            "cuMemsetD8_v2", ctypes.c_uint64(place), ctypes.c_ubyte(byte), ctypes.c_size_t(size)
        )

    def launch(
        self,
        function: ctypes.c_void_p,
        grid: "list[int]",
        block: "list[int]",
        shared_bytes: int,
        arguments: "ctypes.Array[ctypes.c_void_p]",
    ) -> None:
        self.library.call(
            "cuLaunchKernel",
            function,
            *(ctypes.c_uint(size) for size in (*grid, *block, shared_bytes)),
            self.stream,
            arguments,
            None,
        )

    def event(self) -> ctypes.c_void_p:
        event = ctypes.c_void_p()
        self.library.call("cuEventCreate", ctypes.byref(event), ctypes.c_uint(0))
        return event

    def record(self, event: ctypes.c_void_p) -> None:
        self.library.call("cuEventRecord", event, self.stream)

    def milliseconds(self, first: ctypes.c_void_p, last: ctypes.c_void_p) -> float:
        """Wait for `last` and return the time since `first`."""
        self.library.call("cuEventSynchronize", last)
        passed = ctypes.c_float()
        self.library.call("cuEventElapsedTime", ctypes.byref(passed), first, last)
        return passed.value

    def synchronise(self) -> None:
        self.library.call("cuCtxSynchronize")
