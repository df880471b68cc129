// Eight-bit floating types, which few kernels need: only here.
#pragma once

#include "hip_runtime.h"

#include "detail/fp8.h"
