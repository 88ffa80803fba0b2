#include "platform/bind.h"

#include "solver/solver_update.h"

BINDINGS {
  BIND_PER_ISA(m, regularize);
  BIND_PER_ISA(m, chunk_squares);
  m.attr("SQUARES_CHUNK") = kSquaresChunk;
  BIND_PER_ISA(m, sgd_update);
  BIND_PER_ISA(m, nesterov_update);
  BIND_PER_ISA(m, adagrad_update);
  BIND_PER_ISA(m, rmsprop_update);
  BIND_PER_ISA(m, adadelta_update);
  BIND_PER_ISA(m, adam_update);
}
