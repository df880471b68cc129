// One header for both sides: the AMDGPU compiler and the CPU emulator.
//
// Everything here stands alone: no libc, no C++ standard library, no device bitcode. A name that
// is not here does not compile, on either side; nothing is silently approximated.
#pragma once

#if defined(__AMDGCN__) || defined(__HIP_DEVICE_COMPILE__)
#include "detail/device.h"
#else
#include "detail/emulator.h"
#endif
