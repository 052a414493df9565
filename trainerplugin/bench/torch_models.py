"""The engine's architectures in PyTorch, and how their weights correspond.

Module names are the engine's layers with "/" for "."; weights are in PyTorch's
own layouts, so that PyTorch is as fast as its users have it.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class WSConv2d(nn.Conv2d):
    """Convolution with weight standardisation and a trained gain, padded as TensorFlow's SAME."""

    def __init__(self, cin, cout, size, stride):
        super().__init__(cin, cout, size, stride)
        self.gain = nn.Parameter(torch.ones(cout))

    def forward(self, x):
        w = self.weight
        fan_in = w[0].numel()
        mean = w.mean(dim=(1, 2, 3), keepdim=True)
        var = w.var(dim=(1, 2, 3), unbiased=False, keepdim=True)
        scale = self.gain.view(-1, 1, 1, 1) * torch.rsqrt(torch.clamp(var * fan_in, min=1e-4))
        total = max(self.kernel_size[0] - self.stride[0], 0)  # sizes are multiples of the stride
        before, after = total // 2, total - total // 2
        if before == after:
            return F.conv2d(x, (w - mean) * scale, self.bias, self.stride, before)
        return F.conv2d(F.pad(x, (before, after, before, after)), (w - mean) * scale, self.bias, self.stride)


class Block(nn.Module):
    def __init__(self, cin, cout, stride, project):
        super().__init__()
        self.skip = nn.ModuleDict({"norm": nn.GroupNorm(16, cin), "conv": WSConv2d(cin, cout, 1, stride)}) if project else None
        self.norm1, self.conv1 = nn.GroupNorm(16, cin), WSConv2d(cin, cout, 3, stride)
        self.norm2, self.conv2 = nn.GroupNorm(16, cout), WSConv2d(cout, cout, 3, 1)

    def forward(self, x):
        skip = x if self.skip is None else self.skip["conv"](self.skip["norm"](F.relu(x)))
        h = self.conv1(self.norm1(F.relu(x)))
        return skip + self.conv2(self.norm2(F.relu(h)))


class WideResNet(nn.Module):
    def __init__(self, depth, width, classes=10):
        super().__init__()
        self.stem = WSConv2d(3, 16, 3, 1)
        cin, blocks = 16, []
        for g, cout in enumerate((16 * width, 32 * width, 64 * width)):
            group = nn.ModuleDict()
            for i in range((depth - 4) // 6):
                group[f"block{i + 1}"] = Block(cin, cout, 2 if g > 0 and i == 0 else 1, i == 0)
                cin = cout
            blocks.append(group)
        self.group1, self.group2, self.group3 = blocks
        self.norm, self.classifier = nn.GroupNorm(16, cin), nn.Linear(cin, classes)

    def forward(self, x):
        x = self.stem(x)
        for group in (self.group1, self.group2, self.group3):
            for block in group.values():
                x = block(x)
        return self.classifier(self.norm(F.relu(x)).mean(dim=(2, 3)))


class TanhCNN(nn.Module):
    """Papernot et al. 2021, MNIST."""

    def __init__(self, classes=10):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 8, 2, padding=3), nn.Conv2d(16, 32, 4, 2)
        self.dense1, self.classifier = nn.Linear(512, 32), nn.Linear(32, classes)

    def forward(self, x):
        x = F.max_pool2d(torch.tanh(self.conv1(x)), 2, 1)
        x = F.max_pool2d(torch.tanh(self.conv2(x)), 2, 1)
        return self.classifier(torch.tanh(self.dense1(x.flatten(1))))


def ours(model):
    """Yields the engine's tensor name, the module and the parameter, for each parameter."""
    for path, module in model.named_modules():
        for key, p in module.named_parameters(recurse=False):
            suffix = key
            if isinstance(module, nn.GroupNorm):
                suffix = {"weight": "scale", "bias": "offset"}[key]
            elif key != "gain":
                suffix = {"weight": "w", "bias": "b"}[key]
            yield path.replace(".", "/") + "/" + suffix, module, key, p


def to_ours(name, t):
    """A parameter or its gradient in the engine's layout; a leading axis of examples stays in front."""
    if name == "dense1/w":  # the engine flattens [height][width][channel], PyTorch [channel][height][width]
        out = t.shape[-2]
        t = t.reshape(*t.shape[:-2], out, 32, 4, 4)
        return t.movedim(-3, -1).reshape(*t.shape[:-4], out, 512).transpose(-1, -2)
    if name.endswith("/w"):
        if name in ("classifier/w",):
            return t.transpose(-1, -2)
        return t.movedim(-4, -1).movedim(-4, -2)  # out, in, h, w -> h, w, in, out
    return t


def from_ours(name, t):
    if name == "dense1/w":
        return t.transpose(0, 1).reshape(-1, 4, 4, 32).permute(0, 3, 1, 2).reshape(-1, 512)
    if name == "classifier/w":
        return t.transpose(0, 1)
    if name.endswith("/w"):
        return t.permute(3, 2, 0, 1)
    return t


def load(model, weights):
    """Fills model with the engine's weights; every one of them has to be used."""
    left = set(weights)
    with torch.no_grad():
        for name, _, _, p in ours(model):
            p.copy_(from_ours(name, weights[name]))
            left.remove(name)
    if left:
        raise SystemExit(f"the PyTorch model lacks {sorted(left)}")
    return model
