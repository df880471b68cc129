// Cooperative groups, as in HIP only where they are asked for.
#pragma once

#include "hip_runtime.h"

#include "detail/cooperative_groups.h"
