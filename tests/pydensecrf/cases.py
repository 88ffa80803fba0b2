"""Calls for both implementations of the interface: kernel types, normalisations, compatibilities, helpers.

`python cases.py OUT.npz`, run where pydensecrf2 is installed, writes that package's answers.
"""

import sys

import numpy as np

H, W, M = 11, 14, 4


def image_and_energy():
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:H, :W]
    image = np.stack([x * 16, y * 20, (x + y) * 8], 2) + generator.integers(-15, 16, (H, W, 3))
    energy = generator.random((M, H * W)) * 3
    return np.ascontiguousarray(np.clip(image, 0, 255).astype(np.uint8)), energy.astype(np.float32)


def answers(dcrf, utils):
    image, energy = image_and_energy()
    generator = np.random.default_rng(3)
    diagonal = generator.normal(size=M).astype(np.float32) * 2 - 3
    full = generator.normal(size=(M, M)).astype(np.float32)
    out = {}

    def model():
        d = dcrf.DenseCRF2D(W, H, M)
        d.setUnaryEnergy(energy)
        return d

    for number in range(4):
        normalization = dcrf.NormalizationType(number)
        weight = np.float32(1 if number else 0.02)
        for kernel in (dcrf.CONST_KERNEL, dcrf.DIAG_KERNEL, dcrf.FULL_KERNEL):
            d = model()
            d.addPairwiseGaussian((3, 2), 3 * weight, kernel, normalization)
            d.addPairwiseBilateral((20, 30), (13, 14, 15), image, 4 * weight, kernel, normalization)
            out[f"potts_{number}_{int(kernel)}"] = np.array(d.inference(5))
        for name, compat in (("diagonal", diagonal), ("full", full)):
            d = model()
            d.addPairwiseBilateral(20, 13, image, compat * weight, dcrf.DIAG_KERNEL, normalization)
            out[f"{name}_{number}"] = np.array(d.inference(5))

    d = model()
    d.addPairwiseGaussian(
        sxy=(3, 3), compat=3, kernel=dcrf.DIAG_KERNEL, normalization=dcrf.NORMALIZE_SYMMETRIC
    )
    d.addPairwiseBilateral(sxy=80, srgb=13, rgbim=image, compat=10)
    q, tmp1, tmp2 = d.startInference()
    out["start"] = np.array(q)
    divergence = [d.klDivergence(q)]
    for _ in range(4):
        d.stepInference(q, tmp1, tmp2)
        divergence.append(d.klDivergence(q))
    out["steps"], out["divergence"] = np.array(q), np.array(divergence)

    d = dcrf.DenseCRF(H * W, M)
    d.setUnaryEnergy(energy)
    out["gaussian_features"] = utils.create_pairwise_gaussian(sdims=(3, 4), shape=(H, W))
    out["bilateral_features"] = utils.create_pairwise_bilateral((20, 20), (13, 14, 15), image, chdim=2)
    grey = utils.create_pairwise_bilateral((20, 20), (0.05,), image[..., 0].astype(np.float32) / 255)
    d.addPairwiseEnergy(
        out["gaussian_features"], compat=3, kernel=dcrf.DIAG_KERNEL, normalization=dcrf.NORMALIZE_SYMMETRIC
    )
    d.addPairwiseEnergy(out["bilateral_features"], compat=10)
    d.addPairwiseEnergy(grey, compat=2)
    out["features"] = np.array(d.inference(5))

    labels = generator.integers(0, M + 1, (H, W))
    out["from_labels"] = utils.unary_from_labels(labels, M, 0.7)
    out["from_sure_labels"] = utils.unary_from_labels(labels % M, M, 0.7, zero_unsure=False)
    out["compute_unary"] = utils.compute_unary(labels, M, 0.6)
    probabilities = (np.exp(-energy) / np.exp(-energy).sum(0)).reshape(M, H, W)
    out["from_softmax"] = utils.unary_from_softmax(probabilities)
    out["from_softmax_scaled"] = utils.unary_from_softmax(probabilities, scale=0.8, clip=None)
    out["softmax_to_unary"] = utils.softmax_to_unary(probabilities, 0.9)
    out.update(rare_calls(dcrf, utils))
    return out


def rare_calls(dcrf, utils):
    """Arguments that are not documented but occur in scripts: floats, signs, too many or too few."""
    image, energy = image_and_energy()
    out = {}

    def of_kernel(name, *arguments):
        d = dcrf.DenseCRF2D(W, H, M)
        d.setUnaryEnergy(energy)
        (d.addPairwiseGaussian if len(arguments) == 2 else d.addPairwiseBilateral)(*arguments)
        out[name] = np.array(d.inference(4))

    inf = float("inf")
    of_kernel("negative", (-3, 2), 3)
    of_kernel("negative_both", -3, 3)
    of_kernel("negative_colour", (20, -30), (13, -14, 15), image, 4)
    of_kernel("infinite", inf, 3)
    of_kernel("infinite_x", (-inf, 2), 3)
    of_kernel("beyond_float32", (1e300, 2), 3)
    of_kernel("infinite_positions", inf, 13, image, 4)
    of_kernel("infinite_colours", 20, inf, image, 4)
    of_kernel("infinite_red", 20, (inf, 13, 14), image, 4)
    of_kernel("three_positions", (3, 2, 7), 3)
    of_kernel("four_colours", (20, 30, 1), (13, 14, 15, 16), image, 4)

    d = dcrf.DenseCRF2D(float(W), H + 0.5, float(M))
    d.setUnaryEnergy(energy)
    d.addPairwiseGaussian(3, 3)
    out["floats"] = np.array(d.inference(5.0))
    out["fraction"] = np.array(d.inference(np.float64(2.9)))
    out["below_0"] = np.array(d.inference(-1))
    d = dcrf.DenseCRF(float(H * W), M + 0.9)
    d.setUnaryEnergy(energy)
    out["float_points"] = np.array(d.inference(1.0))

    d = dcrf.DenseCRF2D(W, H, M)
    d.addPairwiseBilateral(20, 13, image, np.arange(M, dtype=np.float32))
    out["no_energies"] = np.array(d.inference(3))
    q, tmp1, tmp2 = dcrf.DenseCRF2D(W, H, M).startInference()
    d = dcrf.DenseCRF2D(W, H, M)
    d.stepInference(q, tmp1, tmp2)  # The original starts with whatever is in memory.
    out["no_energies_step"] = np.array(q)

    generator = np.random.default_rng(4)
    weights, features = generator.random((M, 3), np.float32), generator.random((3, H * W), np.float32)
    d = dcrf.DenseCRF2D(W, H, M)
    d.setUnary(dcrf.LogisticUnary(weights, features))
    d.addPairwiseGaussian(3, 3)
    out["logistic"] = np.array(d.inference(3))
    d.setUnary(dcrf.ConstUnary(energy))
    out["constant"] = np.array(d.inference(3))

    out["plain_positions"] = utils._create_pairwise_gaussian_2d(2, 3, (H, W))
    out["plain_colours"] = utils._create_pairwise_bilateral_2d(2, 3, 4, 5, 6, image)
    out["one_channel"] = utils.create_pairwise_bilateral((3, 3), (0.01,), image, 2)
    out["two_channels"] = utils.create_pairwise_bilateral((3, 3), (5, 6), image, 2)
    out["no_channels"] = utils.create_pairwise_bilateral((3, 3), (), image, 2)
    out["one_axis"] = utils.create_pairwise_bilateral((3,), (5, 6, 7), image, 2)
    out["no_axes"] = utils.create_pairwise_bilateral([], 5, image, 2)
    out["number_for_all"] = utils.create_pairwise_bilateral((3, inf), np.float32(-5), image, chdim=2)
    return out


if __name__ == "__main__":
    import pydensecrf.densecrf
    import pydensecrf.utils

    np.savez_compressed(sys.argv[1], **answers(pydensecrf.densecrf, pydensecrf.utils))
