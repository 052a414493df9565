"""Opacus on the same device: DP-SGD in the fastest of its modes, and PyTorch's SGD without privacy.

Reads one JSON object from standard input, as peer.py does, with a device beside it:

  {"device": "cuda", "precision": "bf16", "seconds": 80, "cases": [{"model": "wrn-16-4", "views": 16,
   "batch": 1024, "microbatch": 128, "steps": 4, "tensors": {"stem/w": [3, 3, 3, 16], ...}}]}

and writes a line of JSON for each case and kind. A step is a whole batch:
microbatches pass through Opacus' own virtual steps (signal_skip_step), then it
adds noise and the weights move. Opacus has no views: an example's are so many
rows of the microbatch, and their gradients are averaged before it clips. Views
lie ready on the device. Microbatches are halved until they fit.
"""

import gc
import json
import sys
import time
import warnings

began = time.monotonic()  # importing takes its share

import opacus
import torch
import torch.nn as nn
import torch.nn.functional as F

# Ghost clipping never has the gradients that views would be averaged in.
MODES, VIEW_MODES = ("hooks", "functorch", "ew", "ghost"), ("hooks", "functorch")


class Conv(nn.Conv2d):
    """Weight standardisation with a trained gain; pads as TensorFlow's SAME, sizes being multiples of the stride."""

    def __init__(self, cin, cout, size, stride, compute):
        super().__init__(cin, cout, size, stride)
        self.gain, self.compute = nn.Parameter(torch.ones(cout)), compute

    def forward(self, x):
        var, mean = torch.var_mean(self.weight, (1, 2, 3), correction=0, keepdim=True)
        scale = self.gain.view(-1, 1, 1, 1) * torch.rsqrt(torch.clamp(var * self.weight[0].numel(), min=1e-4))
        w, total = (self.weight - mean) * scale, self.kernel_size[0] - self.stride[0]
        before = max(total, 0) // 2
        if total % 2 > 0:
            x = F.pad(x, (before, total - before) * 2)
            before = 0
        return F.conv2d(x.to(self.compute), w.to(self.compute), self.bias.to(self.compute), self.stride, before)


class Unit(nn.Module):
    """ReLU, norm, convolution. The norm is in float32, as autocast has it."""

    def __init__(self, cin, cout, size, stride, compute):
        super().__init__()
        self.norm, self.conv = nn.GroupNorm(16, cin), Conv(cin, cout, size, stride, compute)

    def forward(self, x):
        return self.conv(self.norm(F.relu(x).float()))


class Block(nn.Module):
    def __init__(self, cin, cout, stride, project, compute):
        super().__init__()
        self.skip = Unit(cin, cout, 1, stride, compute) if project else nn.Identity()
        self.body = nn.Sequential(Unit(cin, cout, 3, stride, compute), Unit(cout, cout, 3, 1, compute))

    def forward(self, x):
        return self.skip(x) + self.body(x)


class WideResNet(nn.Module):
    def __init__(self, depth, width, compute):
        super().__init__()
        stages, cin = [Conv(3, 16, 3, 1, compute)], 16
        for group, cout in enumerate((16 * width, 32 * width, 64 * width)):
            for block in range((depth - 4) // 6):
                stages.append(Block(cin, cout, 2 if group > 0 and block == 0 else 1, block == 0, compute))
                cin = cout
        self.stages, self.norm, self.classifier = nn.Sequential(*stages), nn.GroupNorm(16, cin), nn.Linear(cin, 10)

    def forward(self, x):
        x = self.norm(F.relu(self.stages(x)).float())
        return self.classifier(x.mean((2, 3)))


def plain_step(model, case, microbatch, images, labels):
    # The layout that cuDNN's convolutions are fastest in; Opacus' samplers take the other.
    model, images = model.to(memory_format=torch.channels_last), images.contiguous(memory_format=torch.channels_last)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    rows = microbatch * case["views"]

    def step():
        sgd.zero_grad(set_to_none=True)
        for x, y in zip(images.split(rows), labels.split(rows)):
            (F.cross_entropy(model(x), y) * (len(y) / len(labels))).backward()
        sgd.step()

    return step


def private_step(mode, model, case, microbatch, images, labels, noise=1.0):
    views = case["views"]
    # Opacus takes from the loader how many examples a batch has.
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.zeros(case["batch"])), batch_size=case["batch"])
    private, sgd, *more = opacus.PrivacyEngine().make_private(
        module=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), criterion=nn.CrossEntropyLoss(), data_loader=loader,
        noise_multiplier=noise, max_grad_norm=1.0, poisson_sampling=False, grad_sample_mode=mode,
    )
    criterion = more[0] if mode == "ghost" else F.cross_entropy

    def step():
        left = len(labels)
        for x, y in zip(images.split(microbatch * views), labels.split(microbatch * views)):
            left -= len(y)
            sgd.zero_grad(set_to_none=True)
            criterion(private(x), y).backward()
            if views > 1:
                for p in sgd.params:
                    p.grad_sample = p.grad_sample.unflatten(0, (-1, views)).mean(1)
            sgd.signal_skip_step(left > 0)
            sgd.step()

    return step


def timed(make, case, compute, device, deadline):
    """Times steps of what make makes; None if no microbatch fits."""
    torch.manual_seed(1)
    images = torch.randn(case["batch"] * case["views"], 3, 32, 32, device=device, dtype=compute)
    labels = torch.randint(0, 10, (len(images),), device=device)
    microbatch = case["microbatch"]
    while microbatch > 0:
        if device == "cuda":
            gc.collect()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            return time_steps(make, case, microbatch, compute, device, images, labels, deadline)
        except torch.cuda.OutOfMemoryError:
            microbatch //= 2
    return None


def time_steps(make, case, microbatch, compute, device, images, labels, deadline):
    depth, width = map(int, case["model"].removeprefix("wrn-").split("-"))
    model = WideResNet(depth, width, compute).to(device)
    if sum(p.numel() for p in model.parameters()) != sum(torch.Size(s).numel() for s in case["tensors"].values()):
        raise ValueError("the model has not as many parameters as sweep's")
    step, times = make(model, case, microbatch, images, labels), []
    # The first warms up. Five seconds tell enough, so that all modes have their turn.
    while len(times) < 2 or len(times) <= case["steps"] and sum(times[1:]) < 5 and time.monotonic() < deadline:
        start = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    line = {"images_per_second": len(images) / sorted(times[1:])[(len(times) - 1) // 2], "microbatch": microbatch}
    if device == "cuda":
        line["peak_bytes"] = torch.cuda.max_memory_allocated()
    return line


def measure(kind, case, compute, device, deadline):
    if kind == "plain":
        return timed(plain_step, case, compute, device, deadline) or {"skipped": "out of memory at one example"}
    best, tried = None, {}
    for mode in VIEW_MODES if case["views"] > 1 else MODES:
        if time.monotonic() > deadline:
            tried[mode] = "out of time"
            continue
        try:
            line = timed(lambda *a: private_step(mode, *a), case, compute, device, deadline)
        except Exception as e:  # a mode that does not know a layer says so in many ways
            tried[mode] = f"{type(e).__name__}: {e}".splitlines()[0][:160]
            continue
        if line is None:
            tried[mode] = "out of memory at one example"
            continue
        tried[mode] = f"{line['images_per_second']:.4g} images/s"
        if best is None or line["images_per_second"] > best["images_per_second"]:
            best = {**line, "label": f"Opacus DP-SGD, {mode}"}
    if best is None and all(why.startswith("out of ") for why in tried.values()):
        best = {"skipped": ", ".join(sorted(set(tried.values())))}
    return {**(best or {"error": "no mode of Opacus runs"}), "modes": tried}


def main():
    task = json.load(sys.stdin)
    device = "cuda" if task["device"] == "cuda" and torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    print(json.dumps({"opacus": opacus.__version__, "torch": torch.__version__, "device": name, "platform": device}), flush=True)
    if device != task["device"]:
        return
    warnings.filterwarnings("ignore")  # Opacus on its generator, PyTorch on hooks of the input: not for those who read a table
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = task["precision"] != "f32"
    compute = torch.bfloat16 if task["precision"] == "bf16" else torch.float32
    deadline = began + task["seconds"]
    for case in sorted(task["cases"], key=lambda c: (c["model"], c["views"])):  # the cheap ones first
        for kind, label in (("dp", "Opacus DP-SGD"), ("plain", "PyTorch SGD, not private")):
            line = {"label": label, "kind": kind, "model": case["model"], "views": case["views"]}
            if time.monotonic() > deadline:
                line["skipped"] = "out of time"
            else:
                try:
                    line.update(measure(kind, case, compute, device, deadline))
                except Exception as e:
                    line["error"] = f"{type(e).__name__}: {e}"[:500]
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
