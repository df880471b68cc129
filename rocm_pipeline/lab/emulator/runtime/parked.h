// Blocks that wait for the others of their grid: what must be back in its place before one goes on.
#pragma once

#include "execution.h"

// Room and stacks for that many blocks of the running launch, the running one among them.
void prepare_parking(unsigned blocks);
void end_parking();

// Keeps work-items, LDS and its shadow of the running block, and puts them back.
void park(unsigned place);
void unpark(unsigned place);
