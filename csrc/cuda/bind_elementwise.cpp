#include "bindings.h"
#include "elementwise.h"

BINDINGS {
  BIND_DEVICE(m, relu);
  BIND_DEVICE(m, exact_exp);
  BIND_DEVICE(m, exact_log);
  BIND_DEVICE(m, batch_norm);
  BIND_DEVICE(m, scale);
  BIND_DEVICE(m, prelu);
}
