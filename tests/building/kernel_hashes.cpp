// A hash of the bits that each kernel gives for numbers that are the same everywhere: a program without
// Python, to run the kernels of another processor in an emulator.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <utility>

#include "conv/atrous_conv.h"
#include "conv/bf16_conv.h"
#include "conv/channel_sums.h"
#include "conv/conv_gradient.h"
#include "conv/conv_weights.h"
#include "crf/mean_field.h"
#include "crf/mean_field_ops.h"
#include "pixelwise/elementwise.h"
#include "pixelwise/interp.h"
#include "pixelwise/pooling.h"
#include "pixelwise/softmax.h"
#include "platform/interrupt.h"
#include "platform/isa.h"
#include "solver/solver_update.h"

void Interruptible::raise_if_interrupted() {}

namespace {

constexpr int kThreads = 2;
using Floats = std::vector<float>;

// Between -2 and 2, of 24 bits: a linear congruential generator.
Floats numbers(std::size_t count, std::uint64_t seed) {
  Floats values(count);
  std::uint64_t state = seed * 2654435761u + 12345;
  for (float& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<float>(static_cast<std::int32_t>(state >> 40) - (1 << 23)) * 0x1p-22f;
  }
  return values;
}

void print(const std::string& name, const void* data, std::size_t bytes) {
  std::uint64_t hash = 14695981039346656037u;
  const auto* byte = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < bytes; ++i) hash = (hash ^ byte[i]) * 1099511628211u;
  std::printf("%s %016llx\n", name.c_str(), static_cast<unsigned long long>(hash));
}

void print(const std::string& name, const Floats& values) {
  for (float value : values) {
    if (!std::isfinite(value)) std::printf("%s: not finite\n", name.c_str());
  }
  print(name, values.data(), values.size() * sizeof(float));
}

struct Convolution {
  int64_t batch, groups, in, size, out, kernel, stride, pad, dilation;
  int64_t run = 0;  // so many neighbours of three times as many are not zero
};

void leave_runs(int64_t run, Floats* values) {
  if (run == 0) return;
  for (std::size_t i = 0; i < values->size(); ++i) {
    if (static_cast<int64_t>(i) / run % 3 != 0) (*values)[i] = 0;
  }
}

// The plain kernels', and whether the instructions give the same, where there are any.
void convolution_in_bf16(const std::string& name, const ConvGeometry& g, const Floats& x, const Floats& w,
                         const std::vector<EpilogueStep>& steps, Floats* y) {
  Floats packed(bf16_weights_size(g));
  pack_bf16_weights(g, w.data(), packed.data(), kThreads);
  for (const auto& [plain, way] :
       {std::pair{Bf16Way::avx512_plain, Bf16Way::avx512}, std::pair{Bf16Way::amx_plain, Bf16Way::amx}}) {
    bf16_conv(g, plain, x.data(), packed.data(), steps, y->data(), kThreads);
    const std::string kind = kBf16Ways[static_cast<int>(way)];
    print(name + " bf16 " + kind, *y);
    if (!has(way)) continue;
    const Floats expected = *y;
    bf16_conv(g, way, x.data(), packed.data(), steps, y->data(), kThreads);
    const bool same = std::memcmp(expected.data(), y->data(), y->size() * sizeof(float)) == 0;
    std::printf("instructions: %s bf16 %s: %s\n", name.c_str(), kind.c_str(), same ? "same" : "differ");
  }
}

void convolution(const Convolution& c) {
  const int64_t width = c.size + 2;
  const auto out_size = [&](int64_t size) {
    return (size + 2 * c.pad - c.dilation * (c.kernel - 1) - 1) / c.stride + 1;
  };
  ConvGeometry g{c.batch,         c.groups,   c.in,     c.size,   width,    c.out, out_size(c.size),
                 out_size(width), c.kernel,   c.kernel, c.stride, c.stride, c.pad, c.pad,
                 c.dilation,      c.dilation, 0,        0};
  g.in_plane = g.in_height * g.in_width;
  g.out_plane = g.out_height * g.out_width;
  Floats x = numbers(g.batch * g.in_channels * g.in_plane, 1);
  leave_runs(c.run, &x);
  const Floats w = numbers(g.out_channels * g.depth(), 2);
  const Floats a = numbers(g.out_channels, 3), other = numbers(g.batch * g.out_channels * g.out_plane, 4);
  Floats deviation = numbers(g.out_channels, 5);
  for (float& one : deviation) one = 0.5f + std::fabs(one);
  Floats packed(packed_weights_size(g));
  pack_weights(g, w.data(), packed.data(), kThreads);
  const std::string name = "convolution " + std::to_string(c.in) + "-" + std::to_string(c.out) + " k" +
                           std::to_string(c.kernel) + " s" + std::to_string(c.stride) + " d" +
                           std::to_string(c.dilation) + " g" + std::to_string(c.groups) + " run " +
                           std::to_string(c.run);
  Floats y(other.size());
  atrous_conv(g, x.data(), packed.data(), {}, y.data(), kThreads);
  print(name, y);
  const std::vector<EpilogueStep> steps{{EpilogueStep::kBias, a.data(), nullptr, 0, 0, false},
                                        {EpilogueStep::kBatchNorm, a.data(), deviation.data(), 0, 0, false},
                                        {EpilogueStep::kScale, deviation.data(), nullptr, 0, 0, false},
                                        {EpilogueStep::kSum, other.data(), nullptr, 0.75f, 1.25f, true},
                                        {EpilogueStep::kRelu, nullptr, nullptr, 0.1f, 0, false},
                                        {EpilogueStep::kClip, nullptr, nullptr, -1.5f, 40, false}};
  atrous_conv(g, x.data(), packed.data(), steps, y.data(), kThreads);
  print(name + " epilogue", y);
  if (g.groups == 1) convolution_in_bf16(name, g, x, w, steps, &y);
  Floats dw = w;
  conv_weight_gradient(g, x.data(), other.data(), dw.data(), kThreads);
  print(name + " weight gradient", dw);
  if (c.stride != 1) return;
  Floats gradient_weights(gradient_weights_size(g)), dx(x.size());
  pack_gradient_weights(g, w.data(), gradient_weights.data(), kThreads);
  conv_data_gradient(g, other.data(), gradient_weights.data(), dx.data(), kThreads);
  print(name + " data gradient", dx);
}

void pixelwise() {
  const Floats x = numbers(2 * 5 * 31 * 29, 7);
  const int64_t planes = 10, height = 31, width = 29;
  Floats y(x.size());
  SELECT_ISA(exact_exp)(x.data(), y.data(), static_cast<int64_t>(x.size()), kThreads);
  print("exp", y);
  SELECT_ISA(exact_log)(y.data(), y.data(), static_cast<int64_t>(x.size()), kThreads);
  print("log", y);
  SELECT_ISA(relu)(x.data(), 0.25f, y.data(), static_cast<int64_t>(x.size()), kThreads);
  print("relu", y);
  SELECT_ISA(softmax)(x.data(), y.data(), 2, 5, height * width, kThreads);
  print("softmax", y);
  Floats pooled(planes * 16 * 15);
  SELECT_ISA(max_pool)(x.data(), pooled.data(), planes, height, width, 16, 15, 3, 3, 2, 2, 1, 1, kThreads);
  print("max pool", pooled);
  SELECT_ISA(average_pool)
  (x.data(), pooled.data(), planes, height, width, 16, 15, 3, 3, 2, 2, 1, 1, kThreads);
  print("average pool", pooled);
  Floats zoomed(planes * 61 * 57);
  SELECT_ISA(interp)
  (x.data(), zoomed.data(), planes, height, width, 0, 0, height, width, 61, 57, false, kThreads);
  print("interp", zoomed);
  Floats sums(5);
  SELECT_ISA(channel_sums)(x.data(), sums.data(), 2, 5, height * width, kThreads);
  print("channel sums", sums);
  Floats weight = x, mean = numbers(x.size(), 8), square = numbers(x.size(), 9);
  for (float& one : square) one = one * one;
  SELECT_ISA(adam_update)
  (weight.data(), y.data(), mean.data(), square.data(), 0.01f, 0.9f, 0.999f, 1e-8f,
   static_cast<int64_t>(x.size()), kThreads);
  print("adam", weight);
}

void dense_crf(std::size_t dims, float spread, bool wide_keys) {
  const std::size_t points = 517, labels = 21, padded = padded_labels(labels);
  Floats features = numbers(dims * points, 10);
  for (float& feature : features) feature *= spread;
  const Lattice lattice(features.data(), points, static_cast<int>(dims), wide_keys, kThreads);
  const Floats unary = numbers(points * labels, 11), scale(points, 0.8f);
  Floats q(points * labels + kRow), out(points * labels), weights = numbers(padded, 12);
  const std::string name = "crf " + std::to_string(dims) + (lattice.wide() ? " wide" : "");
  lattice_filter(lattice, q.data(), labels, labels, nullptr, false, out.data(), kThreads);
  for (bool true_exp : {false, true}) {
    const std::vector<PairwiseKernel> kernels{
        {&lattice, nullptr, scale.data(), nullptr, nullptr},
        {&lattice, scale.data(), scale.data(), weights.data(), nullptr}};
    mean_field(kernels, unary.data(), q.data(), points, labels, 4, true_exp, kThreads);
    print(name + (true_exp ? " true exp" : ""), Floats(q.begin(), q.begin() + points * labels));
  }
  lattice_filter(lattice, q.data(), labels, labels, scale.data(), true, out.data(), kThreads);
  print(name + " adjoint", out);
  std::vector<std::int16_t> best(points);
  best_labels(q.data(), best.data(), points, labels, kThreads);
  print(name + " labels", best.data(), best.size() * sizeof best[0]);
}

}  // namespace

int main() {
  std::fprintf(stderr, "%s\n", isa_name(active_isa()));
  // batch, groups, in, size, out, kernel, stride, pad, dilation
  for (const Convolution& one : std::initializer_list<Convolution>{{1, 1, 3, 23, 17, 3, 1, 1, 1},
                                                                   {2, 1, 70, 19, 33, 3, 1, 4, 4},
                                                                   {1, 1, 64, 15, 21, 3, 1, 12, 12},
                                                                   {1, 1, 520, 11, 5, 1, 1, 0, 1},
                                                                   {1, 1, 3, 33, 16, 7, 2, 3, 1},
                                                                   {1, 2, 24, 17, 40, 3, 2, 1, 1},
                                                                   {2, 1, 9, 9, 8, 5, 3, 2, 1},
                                                                   {2, 12, 12, 21, 12, 3, 1, 2, 2},
                                                                   {1, 12, 12, 45, 12, 3, 1, 1, 1},
                                                                   {1, 12, 12, 45, 12, 3, 2, 1, 1},
                                                                   {1, 6, 6, 13, 6, 5, 3, 2, 1},
                                                                   {1, 1, 64, 19, 136, 3, 1, 1, 1, 2},
                                                                   {1, 1, 64, 19, 72, 3, 1, 1, 1, 500}}) {
    convolution(one);
  }
  pixelwise();
  dense_crf(2, 6, false);
  dense_crf(5, 3, false);
  dense_crf(7, 3, false);
  dense_crf(40, 1, false);
  dense_crf(5, 20000, true);
}
