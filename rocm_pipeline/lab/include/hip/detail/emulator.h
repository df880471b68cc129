// The CPU side: the same kernels, run by `rocm_pipeline/lab/emulator/runtime`.
#pragma once

#include "emulator/qualifiers.h"

#include "integers.h"
#include "integer_intrinsics.h"
#include "limits.h"
#include "vector_types.h"
#include "minimum.h"

#include "emulator/runtime_interface.h"
#include "emulator/assertions.h"
#include "emulator/indices.h"
#include "indices.h"
#include "emulator/synchronisation.h"
#include "emulator/lanes.h"
#include "wave.h"
#include "emulator/atomic_operation.h"
#include "atomics.h"

#include "emulator/math_primitives.h"
#include "math.h"
#include "math_parts.h"
#include "fast_math.h"
#include "emulator/bfloat16_bits.h"
#include "half.h"
#include "half_conversions.h"
#include "half2.h"
#include "half2_more.h"
#include "bfloat16.h"
#include "bfloat16_more.h"

#include "emulator/builtins_atomics.h"
#include "emulator/builtins_lanes.h"
#include "emulator/builtins_arithmetic.h"
#include "emulator/builtins_matrix.h"

#include "emulator/launch.h"
