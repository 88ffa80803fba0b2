"""DeepLab v3 and v3+ in plain PyTorch, written from the papers and from what TensorFlow's operators compute.

Slower and shorter than the nets: variables are drawn when a scope first asks for them.
"""

import numpy as np
import torch
import torch.nn.functional as F

RESNET = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
XCEPTION_ENTRY = {
    41: ((128, 2), (256, 2), (728, 2)),
    65: ((128, 2), (256, 2), (728, 2)),
    71: ((128, 2), (256, 1), (256, 2), (728, 1), (728, 2)),
}
XCEPTION_MIDDLE = {41: 8, 65: 16, 71: 16}
MOBILENET = [(1, 16, 1)] + [(6, c, s) for c, s in ((24, 2), (24, 1), (32, 2), (32, 1), (32, 1))]
MOBILENET += [
    (6, c, s) for c, s in ((64, 2), *[(64, 1)] * 3, *[(96, 1)] * 3, (160, 2), *[(160, 1)] * 2, (320, 1))
]


def same(x, kernel, stride, rate):
    """x with TensorFlow's SAME padding: as little as gives ceil(size / stride), an odd one at the end."""
    sides = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + rate * (kernel - 1) + 1 - size, 0)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides)


def resize(x, like):
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=True)


class Program:
    """One net; `variables` fills up, in TensorFlow's names and layouts, while it runs."""

    def __init__(self, net, seed=0):
        self.net, self.variables, self.ends = net, {}, {}
        self._draw = np.random.RandomState(seed)
        self.epsilon, self.act, self.even = 1e-5, F.relu, False

    def variable(self, name, *shape, mean=0.0, deviation=1.0):
        if name not in self.variables:
            values = mean + deviation * self._draw.standard_normal(shape)
            self.variables[name] = (np.abs(values) if "variance" in name else values).astype(np.float32)
        return torch.from_numpy(self.variables[name])

    def unit(self, scope, x, channels, kernel=1, stride=1, rate=1, act=True, depthwise=False):
        """Convolution, batch normalisation, activation."""
        inputs = x.shape[1]
        if depthwise:
            w = self.variable(f"{scope}/depthwise_weights", 3, 3, inputs, 1, deviation=(2 / 9) ** 0.5)
            w, kernel = w.permute(2, 3, 0, 1), 3
        else:
            deviation = (2 / (kernel * kernel * inputs)) ** 0.5
            w = self.variable(f"{scope}/weights", kernel, kernel, inputs, channels, deviation=deviation)
            w = w.permute(3, 2, 0, 1)
        if self.even:  # slim's MobileNet
            x = same(x, kernel, stride, rate)
        else:  # padded the same at both ends, also before a stride
            x = F.pad(x, [rate * (kernel // 2)] * 4)
        x = F.conv2d(x, w, stride=stride, dilation=rate, groups=inputs if depthwise else 1)
        outputs = x.shape[1]
        mean = self.variable(f"{scope}/BatchNorm/moving_mean", outputs, deviation=0.1)
        variance = self.variable(f"{scope}/BatchNorm/moving_variance", outputs, mean=1.2, deviation=0.3)
        gamma = self.variable(f"{scope}/BatchNorm/gamma", outputs, mean=0.8, deviation=0.1)
        beta = self.variable(f"{scope}/BatchNorm/beta", outputs, deviation=0.1)
        x = F.batch_norm(x, mean, variance, gamma, beta, eps=self.epsilon)
        self.ends[scope] = x = self.act(x) if act else x
        return x

    def strides(self, target):
        """A function that turns a unit's own stride into (stride, rate)."""
        now = {"stride": 1, "rate": 1}

        def place(stride):
            if now["stride"] == target:
                rate = now["rate"]
                now["rate"] *= stride
                return 1, rate
            now["stride"] *= stride
            return stride, 1

        return place

    def resnet(self, x, depth):
        s = f"resnet_v1_{depth}"
        for i, (channels, stride) in enumerate(((64, 2), (64, 1), (128, 1)), start=1):
            x = self.unit(f"{s}/conv1_{i}", x, channels, 3, stride)
        x = F.max_pool2d(same(x, 3, 2, 1), 3, 2)
        place, low = self.strides(self.net.output_stride // 4), None
        for block, units in enumerate(RESNET[depth], start=1):
            for unit in range(1, units + 1):
                stride, rate = place(2 if unit == units and block < 4 else 1)
                if block == 4:
                    rate *= self.net.multi_grid[unit - 1]
                name, inner = f"{s}/block{block}/unit_{unit}/bottleneck_v1", 32 * 2**block
                skip = x[:, :, ::stride, ::stride]
                if unit == 1:
                    skip = self.unit(f"{name}/shortcut", x, 4 * inner, stride=stride, act=False)
                y = self.unit(f"{name}/conv1", x, inner)
                y = self.unit(f"{name}/conv2", y, inner, 3, stride, rate)
                y = self.unit(f"{name}/conv3", y, 4 * inner, act=False)
                low = y if (block, unit) == (1, 2) else low
                self.ends[name] = x = F.relu(skip + y)
        return low, x

    def xception(self, x, depth):
        self.epsilon, s = 1e-3, f"xception_{depth}"
        x = self.unit(f"{s}/entry_flow/conv1_1", x, 32, 3, 2)
        x = self.unit(f"{s}/entry_flow/conv1_2", x, 64, 3)
        place = self.strides(self.net.output_stride // 2)
        for i, (channels, stride) in enumerate(XCEPTION_ENTRY[depth], start=1):
            x = self.module(f"{s}/entry_flow/block{i}/unit_1", x, [channels] * 3, "conv", *place(stride))
        for i in range(1, XCEPTION_MIDDLE[depth] + 1):
            x = self.module(f"{s}/middle_flow/block1/unit_{i}", x, [728] * 3, "sum", *place(1))
        x = self.module(f"{s}/exit_flow/block1/unit_1", x, [728, 1024, 1024], "conv", *place(2))
        x = self.module(f"{s}/exit_flow/block2/unit_1", x, [1536, 1536, 2048], "none", *place(1))
        low = (
            f"{s}/entry_flow/block{3 if depth == 71 else 2}/unit_1/xception_module/separable_conv2_pointwise"
        )
        return self.ends[low], x

    def module(self, scope, x, channels, skip, stride, rate):
        scope, y = f"{scope}/xception_module", x
        for i, outputs in enumerate(channels, start=1):
            step, grid = stride if i == 3 else 1, self.net.multi_grid[i - 1] if skip == "none" else 1
            name, after = f"{scope}/separable_conv{i}", skip == "none"
            y = y if after else F.relu(y)
            y = self.unit(f"{name}_depthwise", y, None, 3, step, rate * grid, after, depthwise=True)
            y = self.unit(f"{name}_pointwise", y, outputs, act=after)
        if skip == "conv":
            y = y + self.unit(f"{scope}/shortcut", x, channels[2], stride=stride, act=False)
        if skip != "none":
            self.ends[scope] = y = y + x if skip == "sum" else y
        return y

    def mobilenet(self, x):
        self.epsilon, self.act, self.even = 1e-3, F.relu6, True
        place = self.strides(self.net.output_stride)
        x = self.unit("MobilenetV2/Conv", x, 32, 3, place(2)[0])
        for i, (factor, channels, own_stride) in enumerate(MOBILENET):
            name = "MobilenetV2/expanded_conv" + (f"_{i}" if i else "")
            stride, rate = place(own_stride)
            y = self.unit(f"{name}/expand", x, factor * x.shape[1]) if factor > 1 else x
            y = self.unit(f"{name}/depthwise", y, None, 3, stride, rate, depthwise=True)
            y = self.unit(f"{name}/project", y, channels, act=False)
            x = x + y if stride == 1 and x.shape[1] == channels else y
        return self.ends["MobilenetV2/expanded_conv_2/depthwise"], x

    def separable(self, scope, x, channels, rate=1):
        x = self.unit(f"{scope}_depthwise", x, None, 3, 1, rate, depthwise=True)
        return self.unit(f"{scope}_pointwise", x, channels)

    def __call__(self, image):
        """All end points for the image [1, 3, height, width], RGB from -1 to 1."""
        net, kind = self.net, self.net.backbone
        depth = int(kind.split("_")[2 if kind.startswith("resnet") else 1]) if "mobile" not in kind else 0
        if kind.startswith("mobilenet"):
            low, x = self.mobilenet(image)
        else:
            low, x = (self.resnet if kind.startswith("resnet") else self.xception)(image, depth)
        self.epsilon, self.act, self.even = 1e-5, F.relu, False
        pooled = self.unit("image_pooling", x.mean((2, 3), keepdim=True), 256)
        branches = [resize(pooled, x), self.unit("aspp0", x, 256)]
        for i, rate in enumerate(net.rates, start=1):
            if net.separable:
                branches.append(self.separable(f"aspp{i}", x, 256, rate))
            else:
                branches.append(self.unit(f"aspp{i}", x, 256, 3, 1, rate))
        x = self.unit("concat_projection", torch.cat(branches, 1), 256)
        if net.decoder:
            low = self.unit("decoder/feature_projection0", low, 48)
            x = torch.cat([resize(x, low), low], 1)
            for i in (0, 1):
                if net.separable:
                    x = self.separable(f"decoder/decoder_conv{i}", x, 256)
                else:
                    x = self.unit(f"decoder/decoder_conv0/decoder_conv0_{i + 1}", x, 256, 3)
        w = self.variable("logits/semantic/weights", 1, 1, 256, net.classes, deviation=1 / 16)
        bias = self.variable("logits/semantic/biases", net.classes, deviation=0.1)
        self.ends["logits"] = x = F.conv2d(x, w.permute(3, 2, 0, 1), bias)
        self.ends["upsampled_logits"] = resize(x, image)
        return self.ends


def fill(net, variables):
    """Puts variables, by TensorFlow's names, into a Net; all of them must have a place."""
    left = dict(variables)
    for layer in net.layers:
        name, blobs = layer.name, []
        if layer.type == "Convolution":
            depthwise = f"{name}/depthwise_weights" in left
            weights = left.pop(f"{name}/depthwise_weights" if depthwise else f"{name}/weights")
            blobs = [weights.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))]
            blobs += [left.pop(f"{name}/biases")] if len(layer.blobs) > 1 else []
        elif layer.type == "BatchNorm":
            blobs = [left.pop(f"{name}/moving_{what}") for what in ("mean", "variance")] + [np.ones(1)]
        elif layer.type == "Scale":
            blobs = [left.pop(f"{name.removesuffix('/scale')}/{what}") for what in ("gamma", "beta")]
        for blob, values in zip(layer.blobs, blobs, strict=True):
            blob.data = torch.from_numpy(np.ascontiguousarray(values, np.float32))
    assert not left
