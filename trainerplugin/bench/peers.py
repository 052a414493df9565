"""Compares the CPU engine with PyTorch, Opacus and JAX on this machine; see bench.sh.

One step is a batch's gradients: per example, clipped and summed for the private
ones, of the mean loss for SGD. Noise is left out on all sides. The programs take
turns of half a second, and a ratio is the median of those of single rounds, so
that slow minutes meet all alike. A busy machine does not: programs whose threads
wait for each other within an operation lose most by it. So the load is printed,
and ratios of CPU time beside those of time.
"""

import argparse
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

MODELS = {  # name: (height, channels, batch)
    "tanh-cnn": (28, 1, 256),
    "wrn-16-4": (32, 3, 16),
    "wrn-40-4": (32, 3, 8),
}
CLASSES = 10

TURN = 0.5  # seconds, at least
PAUSE = 0.2  # seconds between turns; threads of OpenMP spin for a while when their work is done


class Ours:
    """The engine, in a process of its own that waits between steps."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = self.process.stdout.readline().strip()

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            sys.exit(f"bench: no answer to {words[0]}")
        return answer

    def step(self):
        return float(self.ask("step"))

    def cpu(self):
        """CPU seconds so far, by the clock that Linux has for each process (clock_getcpuclockid)."""
        return time.clock_gettime(~self.process.pid << 3 | 2)


def timed(step):
    def run():
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    return run


def turn(run, cpu, steps):
    """Seconds and CPU seconds of one step, over so many."""
    time.sleep(PAUSE)
    start = cpu()
    seconds = sum(run() for _ in range(steps))
    return seconds / steps, (cpu() - start) / steps


def data(height, channels, batch, folder):
    """Fixed images and labels; written where the engine reads them. No numpy, which may be missing."""
    import array
    import random

    r = random.Random(1)
    images = array.array("f", (r.gauss(0, 1) for _ in range(batch * height * height * channels)))
    labels = bytes(r.randrange(CLASSES) for _ in range(batch))
    with open(os.path.join(folder, "images"), "wb") as f:
        images.tofile(f)
    with open(os.path.join(folder, "labels"), "wb") as f:
        f.write(labels)
    return images, labels


def torch_runners(name, weights, images, labels, threads):
    """Yields (label, step) for what PyTorch and Opacus have."""
    import torch
    import torch.nn.functional as F

    from torch_models import TanhCNN, WideResNet, load

    torch.set_num_threads(threads)
    height, channels, batch = MODELS[name]
    x = torch.tensor(images).view(batch, height, height, channels).permute(0, 3, 1, 2).contiguous()
    y = torch.tensor(list(labels))

    def fresh():
        model = TanhCNN() if name == "tanh-cnn" else WideResNet(*map(int, name.split("-")[1:]))
        return load(model, weights)

    model = fresh()
    sgd = torch.optim.SGD(model.parameters(), lr=0.0)

    def step():
        sgd.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), y).backward()
        sgd.step()

    yield "torch SGD, not private", step
    for mode in ("hooks", "functorch", "ew", "ghost"):
        try:
            yield f"Opacus {mode}", opacus_step(mode, fresh(), x, y)
        except Exception as e:  # a mode that does not know the model's layers says so in many ways
            print(f"  Opacus {mode}: not on {name}: {str(e).splitlines()[0][:100] if str(e) else type(e).__name__}")


def opacus_step(mode, model, x, y):
    import torch
    from opacus import PrivacyEngine

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=len(x))
    criterion = torch.nn.CrossEntropyLoss()
    model, optimizer, *more = PrivacyEngine().make_private(
        module=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.0), data_loader=loader, criterion=criterion,
        noise_multiplier=0.0, max_grad_norm=1.0, poisson_sampling=False, grad_sample_mode=mode,
    )
    if mode == "ghost":
        criterion = more[0]

    def step():
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()

    step()
    return step


def jax_runners(name, weights, images, labels):
    import jax
    import jax.numpy as jnp

    from jax_models import loss

    height, channels, batch = MODELS[name]
    params = {k: jnp.asarray(v.numpy()) for k, v in weights.items()}
    x = jnp.asarray(images).reshape(batch, height, height, channels)
    y = jnp.asarray(list(labels))
    one = loss(name)
    try:
        from jax_privacy.clipping import clipped_grad

        clipped = jax.jit(clipped_grad(one, l2_clip_norm=1.0, batch_argnums=(1, 2), keep_batch_dim=False))
        label = "JAX-Privacy clipped_grad"
        jax.block_until_ready(clipped(params, x, y))
    except Exception as e:
        print(f"  JAX-Privacy: {str(e).splitlines()[0][:100] if str(e) else type(e).__name__}; JAX's own vmap in its place")
        label = "JAX vmap, clipped"

        def clip(g):
            norm = jnp.sqrt(sum(jnp.sum(v * v) for v in g.values()))
            return {k: v * jnp.minimum(1.0, 1 / norm) for k, v in g.items()}

        clipped = jax.jit(
            lambda p, x, y: {k: v.sum(0) for k, v in jax.vmap(lambda a, b: clip(jax.grad(one)(p, a, b)))(x, y).items()}
        )
        jax.block_until_ready(clipped(params, x, y))
    yield label, lambda: jax.block_until_ready(clipped(params, x, y))


def gradient_errors(name, ours, weights, images, labels, folder, count=8):
    """Each example's relative error of its whole gradient against PyTorch in float64: ours, and PyTorch's in float32.

    A ReLU whose input is within a rounding of zero may have its other slope, which shows as 1e-4 and more.
    """
    import torch
    import torch.nn.functional as F

    from torch_models import TanhCNN, WideResNet, load, ours as named, to_ours

    height, channels, batch = MODELS[name]
    x = torch.tensor(images).view(batch, height, height, channels).permute(0, 3, 1, 2)

    def gradients(kind):
        model = TanhCNN() if name == "tanh-cnn" else WideResNet(*map(int, name.split("-")[1:]))
        model = load(model, weights).to(kind)
        for i in range(count):
            model.zero_grad()
            F.cross_entropy(model(x[i : i + 1].to(kind)), torch.tensor([labels[i]])).backward()
            g = {key: to_ours(key, p.grad).reshape(-1).double() for key, _, _, p in named(model)}
            yield torch.cat([g[key] for key in weights])  # in the engine's order

    ours.ask("batch", count)
    ours.ask("gradients")
    with open(os.path.join(folder, "gradients"), "rb") as f:
        got = torch.frombuffer(bytearray(f.read()), dtype=torch.float32).view(count, -1).double()
    want = torch.stack(list(gradients(torch.float64)))
    theirs = torch.stack(list(gradients(torch.float32)))
    return [((g - want).norm(dim=1) / want.norm(dim=1)).tolist() for g in (got, theirs)]


def read_weights(path):
    """The engine's weights in its own order, which is that of the numbers in the file."""
    import json
    import struct

    from safetensors.torch import load_file

    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
    loaded = load_file(path)
    return {k: loaded[k] for k in sorted(loaded, key=lambda k: header[k]["data_offsets"])}


def compare(name, ours, rounds, threads, peers):
    height, channels, batch = MODELS[name]
    with tempfile.TemporaryDirectory() as folder:
        images, labels = data(height, channels, batch, folder)
        ours.ask("open", name, height, channels, CLASSES, threads, folder)
        print(f"\n{name}, {height}x{height}x{channels}, batch {batch}, {threads} threads, {rounds} rounds")
        runners = {"sweep, private": ours.step}
        if peers:
            weights = read_weights(os.path.join(folder, "weights.safetensors"))
            own, theirs = gradient_errors(name, ours, weights, images, labels, folder)
            for label, errors in ("our", own), ("torch's", theirs):
                print(
                    f"  relative error of {label} float32 per-example gradients against torch float64:"
                    f" median {statistics.median(errors):.1e}, largest {max(errors):.1e}"
                )
            runners |= {label: timed(step) for label, step in torch_runners(name, weights, images, labels, threads)}
            try:
                runners |= {label: timed(step) for label, step in jax_runners(name, weights, images, labels)}
            except ImportError as e:
                print(f"  JAX: {e}")
        ours.ask("batch", batch)
        clock = {label: time.process_time for label in runners} | {"sweep, private": ours.cpu}
        for run in runners.values():
            run()  # once to warm up
        steps = {label: math.ceil(TURN / run()) for label, run in runners.items()}
        turns = {label: [] for label in runners}
        for _ in range(rounds):
            for label, run in runners.items():
                turns[label].append(turn(run, clock[label], steps[label]))
    print_table(batch, turns)


def print_table(batch, turns):
    print(f"  {'':28} {'images/s':>10} {'ours is':>9} {'images/CPU s':>13} {'ours is':>9}")
    for label, own in turns.items():
        row = f"  {label:28}"
        for i, width in (0, 10), (1, 13):
            ratio = statistics.median(t[i] / o[i] for t, o in zip(own, turns["sweep, private"]))
            row += f" {batch / statistics.median(t[i] for t in own):{width}.1f} {ratio:8.2f}x"
        print(row)


def versions(ours, peers):
    found = ["sweep " + ours.version, "Python " + platform.python_version()]
    for package in ("torch", "opacus", "jax", "jax_privacy") if peers else ():
        try:
            found.append(f"{package} {__import__(package).__version__}")
        except (ImportError, AttributeError) as e:
            found.append(f"{package}: {e}")
    return "; ".join(found)


def machine():
    with open("/proc/cpuinfo") as f:
        name = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), platform.machine())
    return f"{name}, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}"


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("program", help="our side: the built command in this folder")
    parse.add_argument("--alone", action="store_true", help="without peers, which are not installed")
    parse.add_argument("--threads", type=int, default=2)
    parse.add_argument("--rounds", type=int, default=7)
    parse.add_argument("models", nargs="*", default=list(MODELS))
    args = parse.parse_intermixed_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    warnings.filterwarnings("ignore", category=UserWarning)  # Opacus on its generator, PyTorch on hooks of the input
    ours = Ours(args.program)
    print(machine())
    print(versions(ours, not args.alone))
    for name in args.models:
        compare(name, ours, args.rounds, args.threads, not args.alone)


if __name__ == "__main__":
    main()
