// assert: a work-item for which it does not hold ends the launch, and is named.
#pragma once

#define assert(condition) ((condition) ? (void)0 : hip_emulator_assertion_failed(0))
