// The CPU side: the same kernels, run by `rocm_pipeline/lab/emulator/runtime`.
#pragma once

#include "emulator/qualifiers.h"

#include "integers.h"
#include "limits.h"
#include "vector_types.h"
#include "minimum.h"

#include "emulator/runtime_interface.h"
#include "emulator/indices.h"
#include "indices.h"
#include "emulator/synchronisation.h"
#include "emulator/lanes.h"
#include "wave.h"
#include "emulator/atomic_operation.h"
#include "atomics.h"

#include "emulator/math_primitives.h"
#include "math.h"
#include "emulator/bfloat16_bits.h"
#include "half.h"
#include "half2.h"
#include "bfloat16.h"

#include "emulator/launch.h"
