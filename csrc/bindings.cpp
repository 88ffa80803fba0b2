// Bindings only: addresses, sizes and thread counts in; no libtorch, so one build serves every torch.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "atrous_conv.h"
#include "bind.h"
#include "buffer.h"
#include "channel_sums.h"
#include "conv_gradient.h"
#include "conv_weights.h"
#include "elementwise.h"
#include "eltwise.h"
#include "fma_peak.h"
#include "interp.h"
#include "isa.h"
#include "mean_field_ops.h"
#include "pooling.h"
#include "softmax.h"
#include "solver_update.h"
#include "tensor_core.h"

namespace py = pybind11;

namespace {

using Address = std::uintptr_t;

template <typename T = float>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}

}  // namespace

PYBIND11_MODULE(_C, m) {
  const py::call_guard<py::gil_scoped_release> no_gil;

  m.def("isa", [] { return isa_name(active_isa()); });

  py::class_<ConvGeometry>(m, "ConvGeometry").def(py::init([](const std::vector<int64_t>& v) {
    if (v.size() != 16 && v.size() != 18) throw std::invalid_argument("ConvGeometry takes 16 or 18 numbers");
    ConvGeometry g{v[0], v[1], v[2],  v[3],  v[4],  v[5],  v[6],  v[7],
                   v[8], v[9], v[10], v[11], v[12], v[13], v[14], v[15]};
    g.in_plane = v.size() == 18 ? v[16] : g.in_height * g.in_width;
    g.out_plane = v.size() == 18 ? v[17] : g.out_height * g.out_width;
    return g;
  }));
  BIND(m, advise_huge_pages);
  BIND_PER_ISA(m, fma_chains);
  BIND_PER_ISA(m, fma_chain_operations);
  m.def("packed_weights_size", packed_weights_size);
  m.def("planned_multiply_adds", planned_multiply_adds);
  m.def(
      "tap_intervals",
      [](int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation,
         int64_t extent, int64_t worth, int64_t shortest) {
        std::vector<std::tuple<int64_t, int64_t, std::vector<int>>> intervals;
        for (auto& i : tap_intervals(in, out, kernel, stride, pad, dilation, extent, worth, shortest)) {
          intervals.emplace_back(i.begin, i.end, i.taps);
        }
        return intervals;
      },
      no_gil);
  m.def(
      "pack_weights",
      [](const ConvGeometry& g, Address w, Address p, int threads) {
        pack_weights(g, at(w), at(p), threads);
      },
      no_gil);
  m.def(
      "unpack_weights",
      [](const ConvGeometry& g, Address p, Address w, int threads) {
        unpack_weights(g, at(p), at(w), threads);
      },
      no_gil);
  m.def(
      "read_packed_weights",
      [](const ConvGeometry& g, int file, int64_t offset, Address p, int threads) {
        return read_packed_weights(g, file, offset, at(p), threads);
      },
      no_gil);
  py::enum_<EpilogueStep::Kind>(m, "EpilogueKind")
      .value("bias", EpilogueStep::kBias)
      .value("batch_norm", EpilogueStep::kBatchNorm)
      .value("scale", EpilogueStep::kScale)
      .value("sum", EpilogueStep::kSum)
      .value("relu", EpilogueStep::kRelu)
      .value("clip", EpilogueStep::kClip);
  py::class_<EpilogueStep>(m, "EpilogueStep")
      .def(py::init([](EpilogueStep::Kind kind, Address a, Address b, float first, float second, bool after) {
        return EpilogueStep{kind, at<const float>(a), at<const float>(b), first, second, after};
      }));
  m.def(
      "atrous_conv",
      [](const ConvGeometry& g, Address x, Address packed, const std::vector<EpilogueStep>& steps, Address y,
         int threads) { atrous_conv(g, at(x), at(packed), steps, at(y), threads); },
      no_gil);
  py::enum_<TensorCoreType>(m, "TensorCoreType")
      .value("bf16", TensorCoreType::kBf16)
      .value("fp16", TensorCoreType::kFp16)
      .value("tf32", TensorCoreType::kTf32)
      .value("fp32", TensorCoreType::kFp32);
  py::enum_<TensorCoreStep::Kind>(m, "TensorCoreStep")
      .value("affine", TensorCoreStep::kAffine)
      .value("sum", TensorCoreStep::kSum)
      .value("relu", TensorCoreStep::kRelu)
      .value("clip", TensorCoreStep::kClip);
  py::class_<TensorCoreBranch>(m, "TensorCoreBranch")
      .def(py::init(&make_branch))
      .def_readonly("group_units", &TensorCoreBranch::group_units)
      .def_readonly("period", &TensorCoreBranch::period)
      .def_readonly("chunks", &TensorCoreBranch::chunks)
      .def_readonly("padded_channels", &TensorCoreBranch::padded_channels)
      .def("set_operands",
           [](TensorCoreBranch& b, Address x, Address weights, Address bias, Address y, bool float_output) {
             b.x = at<void>(x), b.weights = at<void>(weights), b.bias = at(bias), b.y = at<void>(y);
             b.float_output = float_output;
           })
      .def("add_step", [](TensorCoreBranch& b, TensorCoreStep::Kind kind, float first, float second,
                          Address a, Address c) {
        if (b.steps == kMaxTensorCoreSteps) throw std::invalid_argument("too many steps");
        b.step[b.steps++] = {kind, first, second, at<void>(a), at<void>(c)};
      });
  py::class_<TensorCoreTiles>(m, "TensorCoreTiles")
      .def(py::init([](const std::vector<ConvGeometry>& convolutions, TensorCoreType type, int shape,
                       int multiprocessors) {
             return make_tensor_core_tiles(convolutions, type, kTensorCoreShapes[shape], multiprocessors);
           }),
           no_gil)
      .def_readonly("items", &TensorCoreTiles::items)
      .def_readonly("regions_at", &TensorCoreTiles::regions_at)
      .def_readonly("taps_at", &TensorCoreTiles::taps_at)
      .def_readonly("queues_at", &TensorCoreTiles::queues_at)
      .def_readonly("queues", &TensorCoreTiles::queues)
      .def_readonly("longest", &TensorCoreTiles::longest)
      .def_property_readonly("size", [](const TensorCoreTiles& t) { return t.table.size(); })
      .def("copy_to", [](const TensorCoreTiles& t, Address to) {
        std::copy(t.table.begin(), t.table.end(), at<int>(to));
      });
  m.def("tensor_core_shapes", [](TensorCoreType type, int64_t group_channels) {
    std::vector<std::tuple<int, int, int, bool>> shapes;  // number, rows, columns, whether for wgmma
    for (int i = 0; i < kTensorCoreShapeCount; ++i) {
      const TensorCoreShape& shape = kTensorCoreShapes[i];
      if (has_kernel(type, shape, group_channels))
        shapes.emplace_back(i, shape.rows, shape.columns, shape.wgmma);
    }
    return shapes;
  });
  m.attr("MAX_TENSOR_CORE_BRANCHES") = kMaxBranches;
  m.attr("MAX_TENSOR_CORE_STEPS") = kMaxTensorCoreSteps;
  m.def("gradient_weights_size", gradient_weights_size);
  m.def(
      "pack_gradient_weights",
      [](const ConvGeometry& g, Address w, Address p, int threads) {
        pack_gradient_weights(g, at(w), at(p), threads);
      },
      no_gil);
  m.def(
      "conv_data_gradient",
      [](const ConvGeometry& g, Address dy, Address packed, Address dx, int threads) {
        conv_data_gradient(g, at(dy), at(packed), at(dx), threads);
      },
      no_gil);
  m.def(
      "conv_weight_gradient",
      [](const ConvGeometry& g, Address x, Address dy, Address dw, int threads) {
        conv_weight_gradient(g, at(x), at(dy), at(dw), threads);
      },
      no_gil);
  BIND_PER_ISA(m, channel_sums);
  m.def(
      "eltwise",
      [](int operation, const std::vector<Address>& bottoms, const std::vector<float>& coefficients,
         Address top, int64_t size, int threads) {
        eltwise(EltwiseOperation(operation), reinterpret_cast<const float* const*>(bottoms.data()),
                coefficients.data(), int(bottoms.size()), at(top), size, threads);
      },
      no_gil);
  BIND_PER_ISA(m, relu);
  BIND_PER_ISA(m, exact_exp);
  BIND_PER_ISA(m, exact_log);
  BIND(m, c_tanh);
  BIND(m, c_pow);
  BIND_PER_ISA(m, batch_norm);
  BIND_PER_ISA(m, scale);
  BIND_PER_ISA(m, prelu);
  BIND_PER_ISA(m, max_pool);
  BIND_PER_ISA(m, average_pool);
  BIND_PER_ISA(m, interp);
  BIND_PER_ISA(m, softmax);
  BIND_PER_ISA(m, argmax);
  BIND(m, softmax_loss);
  BIND_PER_ISA(m, regularize);
  BIND_PER_ISA(m, chunk_squares);
  m.attr("SQUARES_CHUNK") = kSquaresChunk;
  BIND_PER_ISA(m, sgd_update);
  BIND_PER_ISA(m, nesterov_update);
  BIND_PER_ISA(m, adagrad_update);
  BIND_PER_ISA(m, rmsprop_update);
  BIND_PER_ISA(m, adadelta_update);
  BIND_PER_ISA(m, adam_update);

  py::class_<Lattice>(m, "Lattice")
      .def(py::init([](Address features, std::size_t points, int dims, int threads) {
             return new Lattice(at<const float>(features), points, dims, threads);
           }),
           no_gil)
      .def_property_readonly("points", &Lattice::points)
      .def_property_readonly("dims", &Lattice::dims)
      .def_property_readonly("vertices", &Lattice::vertices)
      .def_property_readonly("bytes", &Lattice::bytes);
  m.attr("MAX_LATTICE_DIMS") = kMaxDims;
  m.def(
      "lattice_filter",
      [](const Lattice& lattice, Address q, std::size_t q_stride, std::size_t labels, Address pre,
         bool adjoint, Address out, int threads) {
        lattice_filter(lattice, at<const float>(q), q_stride, labels, at<const float>(pre), adjoint, at(out),
                       threads);
      },
      no_gil);
  m.def(
      "lattice_filter_double",
      [](const Lattice& lattice, Address q, std::size_t labels, Address pre, bool adjoint, Address out,
         int threads) {
        lattice_filter_double(lattice, at<const double>(q), labels, at<const double>(pre), adjoint,
                              at<double>(out), threads);
      },
      no_gil);
  py::class_<PairwiseKernel>(m, "PairwiseKernel")
      .def(py::init([](const Lattice& lattice, Address pre, Address scale, Address label_weights,
                       Address compatibility) {
             return PairwiseKernel{&lattice, at<const float>(pre), at<const float>(scale),
                                   at<const float>(label_weights), at<const float>(compatibility)};
           }),
           py::keep_alive<1, 2>());
  BIND(m, mean_field_start);
  BIND(m, best_labels);
  m.def(
      "mean_field_iterate",
      [](const std::vector<PairwiseKernel>& kernels, Address unary, Address q, std::size_t points,
         std::size_t labels, int iterations, bool exact_exponential, int threads) {
        return mean_field_iterate(kernels, at<const float>(unary), at(q), points, labels, iterations,
                                  exact_exponential, threads);
      },
      no_gil);
  m.def(
      "mean_field",
      [](const std::vector<PairwiseKernel>& kernels, Address unary, Address q, std::size_t points,
         std::size_t labels, int iterations, bool exact_exponential, int threads) {
        return mean_field(kernels, at<const float>(unary), at(q), points, labels, iterations,
                          exact_exponential, threads);
      },
      no_gil);
}
