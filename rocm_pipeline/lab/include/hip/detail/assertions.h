// assert: a work-item for which it does not hold ends the kernel.
#pragma once

#define assert(condition) ((condition) ? (void)0 : __builtin_trap())
