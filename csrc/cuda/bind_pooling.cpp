#include "bindings.h"
#include "pooling.h"

BINDINGS {
  BIND_DEVICE(m, max_pool);
  BIND_DEVICE(m, average_pool);
}
