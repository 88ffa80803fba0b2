// The lattice's filter in double precision: for checks of gradients, plain rather than fast.
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "crf/mean_field_ops.h"
#include "platform/buffer.h"

void lattice_filter_double(const Lattice& lattice, const double* q, std::size_t labels, const double* pre,
                           bool adjoint, double* out, int threads) {
  const std::size_t rows = std::size_t{lattice.vertices()} + 1, degree = lattice.dims() + 1;
  const double gain = 1 / (1 + std::pow(2.0, -lattice.dims()));
  Buffer<double> tables(2 * rows * threads);
#pragma omp parallel num_threads(threads)
  {
    double* values = tables.data() + 2 * rows * omp_get_thread_num();
    double* other = values + rows;
#pragma omp for schedule(dynamic, 1)
    for (std::size_t label = 0; label < labels; ++label) {
      std::fill(values, values + rows, 0.0);
      const Link* link = lattice.links();
      for (std::size_t p = 0; p < lattice.points(); ++p) {
        const double value = pre ? pre[p] * q[p * labels + label] : q[p * labels + label];
        for (std::size_t r = 0; r < degree; ++r, ++link) values[link->index] += link->weight * value;
      }
      other[0] = 0;
      for (int step = 0; step <= lattice.dims(); ++step) {
        const unsigned (*neighbours)[2] = lattice.neighbours(adjoint ? lattice.dims() - step : step);
        for (std::size_t v = 1; v < rows; ++v) {
          other[v] = values[v] + 0.5 * (values[neighbours[v][0]] + values[neighbours[v][1]]);
        }
        std::swap(values, other);
      }
      link = lattice.links();
      for (std::size_t p = 0; p < lattice.points(); ++p) {
        double sum = 0;
        for (std::size_t r = 0; r < degree; ++r, ++link) sum += link->weight * values[link->index];
        out[p * labels + label] = gain * sum;
      }
    }
  }
}
