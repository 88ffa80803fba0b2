#include "bindings.h"
#include "labels.h"

BINDINGS {
  BIND_DEVICE(m, softmax);
  BIND_DEVICE(m, argmax);
}
