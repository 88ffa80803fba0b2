#include "pixelwise/threshold.h"
#include "platform/bind.h"

BINDINGS { BIND_DEVICE(m, threshold); }
