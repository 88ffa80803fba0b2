"""DeepLab v3 and v3+ in plain PyTorch, with the module names of the published implementations.

Chen et al., arXiv:1706.05587 and arXiv:1802.02611; He et al., arXiv:1512.03385; Howard et al.,
arXiv:1905.02244. The numbers of channels and strides are those of torchvision's segmentation models and of
segmentation_models_pytorch's DeepLabV3Plus.
"""

import torch
from torch import nn
from torch.nn import functional as F


def conv_norm(inputs, outputs, kernel=1, stride=1, rate=1, groups=1, act=nn.ReLU, eps=1e-5):
    """Convolution, batch normalisation and activation as modules 0, 1 and 2."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 * rate, rate, groups, bias=False),
        nn.BatchNorm2d(outputs, eps),
    ]
    return nn.Sequential(*layers, *([act()] if act else []))


class Bottleneck(nn.Module):
    def __init__(self, inputs, inner, stride, rate, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, rate, rate, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, 4 * inner, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * inner)
        self.downsample = None
        if shortcut:
            convolution = nn.Conv2d(inputs, 4 * inner, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(4 * inner))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + (self.downsample(x) if self.downsample else x))


class ResNet(nn.Module):
    """strides, and of each layer the rates of its first and of its other units."""

    def __init__(self, units, strides=(1, 2, 1, 1), rates=((1, 1), (1, 1), (1, 2), (2, 4))):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for i, inner in enumerate((64, 128, 256, 512)):
            layer = []
            for unit in range(units[i]):
                first = unit == 0
                stride = strides[i] if first else 1
                layer.append(Bottleneck(inputs, inner, stride, rates[i][0 if first else 1], first))
                inputs = 4 * inner
            setattr(self, f"layer{i + 1}", nn.Sequential(*layer))

    def features(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        low = self.layer1(x)
        return low, self.layer4(self.layer3(self.layer2(low)))

    def forward(self, x):
        return self.features(x)[1]


def eighths(channels):
    """The multiple of 8 nearest to `channels`, but not below 90% of it."""
    near = (channels + 4) // 8 * 8
    return near if near >= 0.9 * channels else near + 8


class Squeeze(nn.Module):
    def __init__(self, channels, inner):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, inner, 1)
        self.fc2 = nn.Conv2d(inner, channels, 1)

    def forward(self, x):
        gate = self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1))))
        return x * F.hardsigmoid(gate)


class Inverted(nn.Module):
    def __init__(self, inputs, kernel, inner, outputs, squeeze, act, stride, rate):
        super().__init__()
        layers = []
        if inner != inputs:
            layers.append(conv_norm(inputs, inner, act=act, eps=1e-3))
        stride_now = 1 if rate > 1 else stride
        layers.append(conv_norm(inner, inner, kernel, stride_now, rate, inner, act, 1e-3))
        if squeeze:
            layers.append(Squeeze(inner, eighths(inner // 4)))
        layers.append(conv_norm(inner, outputs, act=None, eps=1e-3))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.block(x) if self.residual else self.block(x)


R, H = nn.ReLU, nn.Hardswish
# kernel, expanded channels, channels out, squeeze and excitation, activation, stride, rate
MOBILENET_V3_LARGE = (
    (3, 16, 16, False, R, 1, 1),
    (3, 64, 24, False, R, 2, 1),
    (3, 72, 24, False, R, 1, 1),
    (5, 72, 40, True, R, 2, 1),
    (5, 120, 40, True, R, 1, 1),
    (5, 120, 40, True, R, 1, 1),
    (3, 240, 80, False, H, 2, 1),
    (3, 200, 80, False, H, 1, 1),
    (3, 184, 80, False, H, 1, 1),
    (3, 184, 80, False, H, 1, 1),
    (3, 480, 112, True, H, 1, 1),
    (3, 672, 112, True, H, 1, 1),
    (5, 672, 160, True, H, 2, 2),
    (5, 960, 160, True, H, 1, 2),
    (5, 960, 160, True, H, 1, 2),
)


def mobilenet_v3_large():
    layers, inputs = [conv_norm(3, 16, 3, 2, act=H, eps=1e-3)], 16
    for kernel, inner, outputs, *rest in MOBILENET_V3_LARGE:
        layers.append(Inverted(inputs, kernel, inner, outputs, *rest))
        inputs = outputs
    return nn.Sequential(*layers, conv_norm(160, 960, act=H, eps=1e-3))


class Separable(nn.Sequential):
    """Depthwise and pointwise convolution, nothing between them; modules 0 and 1."""

    def __init__(self, inputs, outputs, rate=1):
        depthwise = nn.Conv2d(inputs, inputs, 3, 1, rate, rate, inputs, bias=False)
        super().__init__(depthwise, nn.Conv2d(inputs, outputs, 1, bias=False))


def separable_norm(inputs, outputs, rate=1):
    return nn.Sequential(Separable(inputs, outputs, rate), nn.BatchNorm2d(outputs), nn.ReLU())


class Aspp(nn.Module):
    def __init__(self, inputs, rates=(12, 24, 36), branch=lambda i, o, rate: conv_norm(i, o, 3, rate=rate)):
        super().__init__()
        pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), *conv_norm(inputs, 256))
        branches = [branch(inputs, 256, rate) for rate in rates]
        self.convs = nn.ModuleList([conv_norm(inputs, 256), *branches, pooling])
        self.project = conv_norm(5 * 256, 256)

    def forward(self, x):
        maps = [convolution(x) for convolution in self.convs]
        maps[-1] = F.interpolate(maps[-1], size=x.shape[2:], mode="bilinear", align_corners=False)
        return self.project(torch.cat(maps, 1))


class TorchvisionDeepLabV3(nn.Module):
    def __init__(self, backbone, channels, classes):
        super().__init__()
        self.backbone = backbone
        head = conv_norm(256, 256, 3)
        self.classifier = nn.Sequential(Aspp(channels), *head, nn.Conv2d(256, classes, 1))

    def forward(self, x):
        """The logits, and the same at the image's size."""
        logits = self.classifier(self.backbone(x))
        return logits, F.interpolate(logits, size=x.shape[2:], mode="bilinear", align_corners=False)


def torchvision(name, classes=21):
    if name == "mobilenet_v3_large":
        return TorchvisionDeepLabV3(mobilenet_v3_large(), 960, classes)
    units = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}[name]
    return TorchvisionDeepLabV3(ResNet(units), 2048, classes)


class Decoder(nn.Module):
    def __init__(self, rates):
        super().__init__()
        self.aspp = nn.Sequential(Aspp(2048, rates, separable_norm), *separable_norm(256, 256))
        self.block1 = conv_norm(256, 48)
        self.block2 = separable_norm(304, 256)

    def forward(self, low, features):
        x = self.aspp(features)
        x = F.interpolate(x, size=low.shape[2:], mode="bilinear", align_corners=True)
        return self.block2(torch.cat([x, self.block1(low)], 1))


class SmpDeepLabV3Plus(nn.Module):
    """Every unit of a stage whose stride is removed has the stage's rate; sizes are multiples of 16."""

    def __init__(self, units, output_stride, rates, classes):
        super().__init__()
        stages = {16: ((1, 2, 2, 1), (1, 1, 1, 2)), 8: ((1, 2, 1, 1), (1, 1, 2, 4))}[output_stride]
        self.encoder = ResNet(units, stages[0], [(rate, rate) for rate in stages[1]])
        self.decoder = Decoder(rates)
        self.segmentation_head = nn.Sequential(nn.Conv2d(256, classes, 1))

    def forward(self, x):
        """The logits, and the same at the image's size."""
        logits = self.segmentation_head(self.decoder(*self.encoder.features(x)))
        return logits, F.interpolate(logits, size=x.shape[2:], mode="bilinear", align_corners=True)


def smp(name, output_stride=16, rates=(12, 24, 36), classes=21):
    units = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}[name]
    return SmpDeepLabV3Plus(units, output_stride, rates, classes)


def randomise(model, seed):
    """Random weights under which values neither vanish nor grow, and statistics that are not 0 and 1."""
    draw = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan = module.weight[0].numel()
            module.weight.data = torch.randn(module.weight.shape, generator=draw) * (2 / fan) ** 0.5
            if module.bias is not None:
                module.bias.data = torch.randn(module.bias.shape, generator=draw) / 10
        elif isinstance(module, nn.BatchNorm2d):
            for parameter in (module.weight, module.bias, module.running_mean):
                parameter.data = torch.randn(parameter.shape, generator=draw) / 10
            module.weight.data += 0.75
            module.running_var = torch.rand(module.running_var.shape, generator=draw) + 0.5
    return model.eval()
