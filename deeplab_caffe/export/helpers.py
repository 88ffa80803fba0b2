"""Sources of what torch has no word for; a net's source gets those that it uses."""

# Scale where every use is the plain one.
PLAIN_SCALE = '''
class Scale(nn.Module):
    """A factor and a summand for each channel."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return x * self.weight[:, None, None] + self.bias[:, None, None]
'''
CLASSES = {
    "Scale": '''
class Scale(nn.Module):
    """A factor for each channel, and a summand; `behind`: how many axes follow the channels."""

    def __init__(self, channels, bias=True, behind=2):
        super().__init__()
        shape = channels if isinstance(channels, tuple) else (channels,)
        self.behind = (1,) * behind
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape)) if bias else None

    def forward(self, x):
        y = x * self.weight.view(self.weight.shape + self.behind)
        return y if self.bias is None else y + self.bias.view(self.bias.shape + self.behind)
''',
    "Bias": '''
class Bias(nn.Module):
    """A summand for each channel; `behind`: how many axes follow the channels."""

    def __init__(self, channels, behind=2):
        super().__init__()
        self.behind = (1,) * behind
        self.bias = nn.Parameter(torch.zeros(channels if isinstance(channels, tuple) else (channels,)))

    def forward(self, x):
        return x + self.bias.view(self.bias.shape + self.behind)
''',
    "Embed": '''
class Embed(nn.Embedding):
    """A row of the table for each index, and a bias."""

    def __init__(self, rows, columns):
        super().__init__(rows, columns)
        self.bias = nn.Parameter(torch.zeros(columns))

    def forward(self, index):
        return super().forward(index) + self.bias
''',
    "Gain": '''
class Gain(nn.Module):
    """A factor for each channel: at least `least`, and with norm_mean 1 on average."""

    def __init__(self, channels, least=0.0, norm_mean=False):
        super().__init__()
        self.least, self.norm_mean = least, norm_mean
        self.weight = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, x):
        gains = self.weight.clamp(min=self.least)
        return x * (gains / gains.mean() if self.norm_mean else gains)
''',
}

FUNCTIONS = {
    "resize": '''
def resize(x, size, align_corners=True):
    """Caffe's Interp to a size: bilinear, the corners on the corners."""
    return F.interpolate(x, size, mode="bilinear", align_corners=align_corners)
''',
    "zoom": '''
def zoom(x, by=1, shrink=1, align_corners=True):
    """Caffe's Interp by factors: bilinear, the corners on the corners."""
    size = [(n - 1) // shrink * by + 1 for n in x.shape[2:]]
    return F.interpolate(x, size, mode="bilinear", align_corners=align_corners)
''',
    "same": '''
def same(x, kernel, stride, dilation=(1, 1), value=0.0):
    """TensorFlow's padding SAME: ceil(n / stride) windows; of an odd padding more goes behind."""
    around = []
    for n, k, s, d in zip(x.shape[2:], kernel, stride, dilation):
        missing = (n + s - 1) // s * s - s + d * (k - 1) + 1 - n
        around = [missing // 2, missing - missing // 2, *around]
    return F.pad(x, around, value=value)
''',
    "crop": '''
def crop(x, like, axis, offsets):
    """x cut to the size of `like` from `axis` on; torch.export would take a slice for one case only."""
    for dim, begin in enumerate(offsets, axis):
        x = x.index_select(dim, begin + torch.arange(like.shape[dim], device=x.device))
    return x
''',
    "argmax": '''
def argmax(x, dim):
    """The number of the largest value, of equal ones the last, as Caffe's ArgMax has it."""
    return (x.shape[dim] - 1 - x.flip(dim).argmax(dim, keepdim=True)).to(x.dtype)
''',
    "largest": '''
def largest(x, k, dim):
    """Numbers and values of the k largest."""
    values, index = x.flip(dim).topk(k, dim)
    return (x.shape[dim] - 1 - index).to(x.dtype), values
''',
    "unfold": '''
def unfold(x, kernel, stride, pad, dilation):
    """Caffe's Im2col: the values of each window as channels."""
    x = F.pad(x, (pad[1], pad[1], pad[0], pad[0]))
    height, width = (n - d * (k - 1) for n, k, d in zip(x.shape[2:], kernel, dilation))
    places = [(i * dilation[0], j * dilation[1]) for i in range(kernel[0]) for j in range(kernel[1])]
    parts = [x[:, :, i : i + height : stride[0], j : j + width : stride[1]] for i, j in places]
    return torch.stack(parts, 2).flatten(1, 2)
''',
    "normalize": '''
def normalize(x, across_channels, variance, eps):
    """Caffe's MVN: less the mean of each plane (or image), over the standard deviation."""
    y = x.flatten(1 if across_channels else 2)
    y = y - y.mean(-1, keepdim=True)
    if variance:
        y = y / (y.square().mean(-1, keepdim=True).sqrt() + eps)
    return y.view(x.shape)
''',
}
