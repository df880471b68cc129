// The NVIDIA side, for `clang -x cuda --cuda-device-only -nocudainc -nocudalib`: the same kernels,
// so that they can be checked on a GPU that many people have. No header or library of CUDA is used.
#pragma once

#include "cuda/qualifiers.h"

// As on the AMDGPU side: a function is for both sides, with a qualifier and without.
#pragma clang force_cuda_host_device begin

#include "integers.h"
#include "integer_intrinsics.h"
#include "limits.h"
#include "assertions.h"
#include "vector_types.h"
#include "minimum.h"

#include "cuda/indices.h"
#include "indices.h"
#include "cuda/synchronisation.h"
#include "cuda/lanes.h"
#include "wave.h"
#include "device/atomic_operation.h"
#include "atomics.h"

#include "cuda/math_primitives.h"
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
