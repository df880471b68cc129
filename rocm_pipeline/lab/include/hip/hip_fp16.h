// hip_runtime.h holds all element types; this name exists because kernels include it.
#pragma once

#include "hip_runtime.h"
