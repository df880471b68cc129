"""AMD GPUs through libamdhip64, by the C interface of HIP 5 to 7 (hip_runtime_api.h)."""

import ctypes
import re

from rocm_pipeline.lab.devices.runtime.library import DriverError, Library

# hipDeviceAttribute_t
_CLOCK_RATE, _L2_BYTES, _COMPUTE_UNITS, _SHARED_BYTES, _WAVE = 5, 19, 63, 74, 87
# hipDeviceProp_t has grown with each version (1,472 bytes in HIP 6); it is never this large
_PROPERTIES = 16384


def _words(functions: ctypes.CDLL, status: int) -> str:
    functions.hipGetErrorString.restype = ctypes.c_char_p
    return functions.hipGetErrorString(status).decode(errors="replace")


class Gpu:
    """One AMD GPU."""

    def __init__(self, path: str, number: int) -> None:
        self.library = Library(path, _words)
        self.number = number
        self.library.call("hipInit", ctypes.c_uint(0))
        count = self.library.integer("hipGetDeviceCount")
        if number >= count:
            raise DriverError(f"there is no device {number}; the driver knows {count}")
        self.library.call("hipSetDevice", ctypes.c_int(number))
        stream = ctypes.c_void_p()
        self.library.call("hipStreamCreate", ctypes.byref(stream))
        self.stream = stream

    def facts(self) -> "dict[str, object]":
        """Name, architecture and sizes, as the driver tells them."""
        call = self.library
        name = ctypes.create_string_buffer(256)
        call.call("hipDeviceGetName", name, ctypes.c_int(256), ctypes.c_int(self.number))
        memory = ctypes.c_size_t()
        call.call("hipDeviceTotalMem", ctypes.byref(memory), ctypes.c_int(self.number))
        return {
            "name": name.value.decode(errors="replace") or "AMD GPU",
            "architecture": self._architecture(),
            "wave": self._attribute(_WAVE),
            "memory_bytes": memory.value,
            "cache_bytes": self._attribute(_L2_BYTES),
            "compute_units": self._attribute(_COMPUTE_UNITS),
            "shared_bytes": self._attribute(_SHARED_BYTES),
            "clock_mhz": self._attribute(_CLOCK_RATE) // 1000,
            "driver": f"HIP {call.integer('hipRuntimeGetVersion')}",
        }

    def _attribute(self, number: int) -> int:
        return self.library.integer(
            "hipDeviceGetAttribute", ctypes.c_int(number), ctypes.c_int(self.number)
        )

    def _architecture(self) -> str:
        """Find gcnArchName: its place in hipDeviceProp_t differs by version, its form does not."""
        properties = ctypes.create_string_buffer(_PROPERTIES)
        functions = self.library.functions
        newest = "hipGetDevicePropertiesR0600"
        name = newest if hasattr(functions, newest) else "hipGetDeviceProperties"
        self.library.call(name, properties, ctypes.c_int(self.number))
        # the first 256 bytes hold the marketing name, which may say gfx too
        found = re.search(rb"gfx[0-9a-f]{3,4}(?=[:\0])", properties.raw[256:])
        if found is None:
            raise DriverError("the driver gives no gcnArchName")
        return found[0].decode()

    def load(self, image: bytes) -> ctypes.c_void_p:
        """Load a code object."""
        module = ctypes.c_void_p()
        self.library.call("hipModuleLoadData", ctypes.byref(module), ctypes.c_char_p(image))
        return module

    def carried_hash(self, module: ctypes.c_void_p) -> str:
        """A code object's hash is its build ID, which was read before it was loaded."""
        del module
        return ""

    def function(self, module: ctypes.c_void_p, name: str, shared_bytes: int) -> ctypes.c_void_p:
        del shared_bytes
        function = ctypes.c_void_p()
        self.library.call(
            "hipModuleGetFunction", ctypes.byref(function), module, ctypes.c_char_p(name.encode())
        )
        return function

    def allocate(self, size: int) -> int:
        place = ctypes.c_void_p()
        self.library.call("hipMalloc", ctypes.byref(place), ctypes.c_size_t(size))
        return place.value or 0

    def write(self, place: int, content: bytes) -> None:
        self.library.call(
            "hipMemcpyHtoD",
            ctypes.c_void_p(place),
            ctypes.c_char_p(content),
            ctypes.c_size_t(len(content)),
        )

    def read(self, place: int, size: int) -> bytes:
        content = ctypes.create_string_buffer(size)
        self.library.call("hipMemcpyDtoH", content, ctypes.c_void_p(place), ctypes.c_size_t(size))
        return content.raw

    def fill(self, place: int, byte: int, size: int) -> None:
        self.library.call(
            "hipMemset", ctypes.c_void_p(place), ctypes.c_int(byte), ctypes.c_size_t(size)
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
            "hipModuleLaunchKernel",
            function,
            *(ctypes.c_uint(size) for size in (*grid, *block, shared_bytes)),
            self.stream,
            arguments,
            None,
        )

    def event(self) -> ctypes.c_void_p:
        event = ctypes.c_void_p()
        self.library.call("hipEventCreate", ctypes.byref(event))
        return event

    def record(self, event: ctypes.c_void_p) -> None:
        self.library.call("hipEventRecord", event, self.stream)

    def milliseconds(self, first: ctypes.c_void_p, last: ctypes.c_void_p) -> float:
        """Wait for `last` and return the time since `first`."""
        self.library.call("hipEventSynchronize", last)
        passed = ctypes.c_float()
        self.library.call("hipEventElapsedTime", ctypes.byref(passed), first, last)
        return passed.value

    def synchronise(self) -> None:
        self.library.call("hipDeviceSynchronize")
