// The AMDGPU side, for `clang -x hip --cuda-device-only -nogpuinc -nogpulib`.
#pragma once

#include "device/qualifiers.h"

#include "integers.h"
#include "limits.h"
#include "vector_types.h"
#include "minimum.h"

#include "device/indices.h"
#include "device/synchronisation.h"
#include "device/lanes.h"
#include "wave.h"
#include "device/atomic_operation.h"
#include "atomics.h"

#include "device/math_primitives.h"
#include "math.h"
#include "device/bfloat16_bits.h"
#include "half.h"
#include "half2.h"
#include "bfloat16.h"

// A function without a qualifier would be the host's and lose against any overload for the device.
// The emulator cannot tell them apart, so from here on every function is for both.
#pragma clang force_cuda_host_device begin
