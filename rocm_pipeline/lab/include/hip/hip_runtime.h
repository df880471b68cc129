// One header for every side: the AMDGPU compiler, the CPU emulator and NVIDIA's GPUs.
//
// Everything here stands alone: no libc, no C++ standard library, no device bitcode. A name that
// is not here does not compile, on either side; nothing is silently approximated.
#pragma once

#if defined(__AMDGCN__) || defined(__HIP_DEVICE_COMPILE__)
#include "detail/device.h"
#elif defined(__NVPTX__)
#include "detail/cuda.h"
#else
#include "detail/emulator.h"
#endif
