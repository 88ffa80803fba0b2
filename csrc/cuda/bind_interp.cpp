#include "bindings.h"
#include "interp.h"

BINDINGS {
  BIND_DEVICE(m, interp);
  BIND_DEVICE(m, interp_argmax);
}
