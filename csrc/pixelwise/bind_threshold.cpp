#include "pixelwise/threshold.h"
#include "platform/bind.h"

BINDINGS { BIND_PER_ISA(m, threshold); }
