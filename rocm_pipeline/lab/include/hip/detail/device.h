// The AMDGPU side, for `clang -x hip --cuda-device-only -nogpuinc -nogpulib`.
#pragma once

#include "device/qualifiers.h"

// The emulator knows one kind of function, and so must the GPU's compiler, or it would choose other
// overloads: from here on a function is for both sides, with a qualifier and without.
#pragma clang force_cuda_host_device begin

#include "integers.h"
#include "integer_intrinsics.h"
#include "limits.h"
#include "assertions.h"
#include "vector_types.h"
#include "minimum.h"

#include "device/indices.h"
#include "indices.h"
#include "device/synchronisation.h"
#include "device/lanes.h"
#include "wave.h"
#include "device/atomic_operation.h"
#include "atomics.h"

#include "device/math_primitives.h"
#include "math.h"
#include "math_parts.h"
#include "fast_math.h"
#include "device/bfloat16_bits.h"
#include "half.h"
#include "half_conversions.h"
#include "half2.h"
#include "half2_more.h"
#include "bfloat16.h"
#include "bfloat16_more.h"
