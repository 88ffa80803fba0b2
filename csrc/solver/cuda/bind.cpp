#include "platform/bind.h"

#include "solver/cuda/solver_update.h"

BINDINGS {
  BIND_DEVICE(m, regularize);
  BIND_DEVICE(m, chunk_squares);
  BIND_DEVICE(m, sgd_update);
  BIND_DEVICE(m, nesterov_update);
  BIND_DEVICE(m, adagrad_update);
  BIND_DEVICE(m, rmsprop_update);
  BIND_DEVICE(m, adadelta_update);
  BIND_DEVICE(m, adam_update);
}
