"""Plain JAX on the same device: DP-SGD by vmap(grad), and SGD without privacy.

Reads one JSON object from standard input:

  {"precision": "bf16", "seconds": 200, "cases": [{"model": "wrn-16-4", "views": 16,
   "batch": 1024, "microbatch": 128, "steps": 4, "tensors": {"stem/w": [3, 3, 3, 16], ...}}]}

and writes a line of JSON for each case and kind. A step is a whole batch: the
gradients of all views of an example are averaged, clipped to norm 1 and summed,
microbatch by microbatch in a loop on the device, then noise is added and the
weights move. Views lie ready on the device, so that drawing them costs nothing
here. Microbatches are halved until they fit.
"""

import json
import os
import sys
import time

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn

KINDS = {"dp": "JAX vmap(grad) DP-SGD", "plain": "JAX SGD, not private"}


def make_loss(model, compute):
    depth = int(model.split("-")[1])

    def conv(p, name, x, stride):
        w = p[name + "/w"]
        mean, var = w.mean((0, 1, 2)), w.var((0, 1, 2))
        scale = p[name + "/gain"] * lax.rsqrt(jnp.maximum(var * w[..., 0].size, 1e-4))
        w = ((w - mean) * scale).astype(compute)
        y = lax.conv_general_dilated(x.astype(compute), w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return y + p[name + "/b"].astype(compute)

    def norm(p, name, x):
        g = nn.relu(x).astype(jnp.float32).reshape(*x.shape[:3], 16, -1)
        mean, var = g.mean((1, 2, 4), keepdims=True), g.var((1, 2, 4), keepdims=True)
        y = ((g - mean) * lax.rsqrt(var + 1e-5)).reshape(x.shape)
        return (y * p[name + "/scale"] + p[name + "/offset"]).astype(compute)

    def logits(p, x):
        x = conv(p, "stem", x, 1)
        for group in (1, 2, 3):
            for block in range(1, (depth - 4) // 6 + 1):
                name, stride, skip = f"group{group}/block{block}", 2 if group > 1 and block == 1 else 1, x
                if block == 1:
                    skip = conv(p, name + "/skip/conv", norm(p, name + "/skip/norm", x), stride)
                h = conv(p, name + "/conv1", norm(p, name + "/norm1", x), stride)
                x = skip + conv(p, name + "/conv2", norm(p, name + "/norm2", h), 1)
        x = norm(p, "norm", x).astype(jnp.float32).mean((1, 2))
        return x @ p["classifier/w"] + p["classifier/b"]

    def loss(p, images, labels):  # mean over images
        return -jnp.take_along_axis(nn.log_softmax(logits(p, images)), labels[:, None], 1).mean()

    return loss


def make_step(kind, loss, case, microbatch):
    def clipped(p, images, labels):  # of one example's views
        g = jax.grad(loss)(p, images, labels)
        norm = jnp.sqrt(sum(jnp.vdot(v, v) for v in g.values()))
        return {k: v * jnp.minimum(1.0, 1 / (norm + 1e-10)) for k, v in g.items()}

    def part(p, images, labels):  # images [microbatch, views, ...]
        if kind == "dp":
            return {k: v.sum(0) for k, v in jax.vmap(clipped, (None, 0, 0))(p, images, labels).items()}
        g = jax.grad(loss)(p, images.reshape(-1, *images.shape[2:]), labels.reshape(-1))
        return {k: v * images.shape[0] for k, v in g.items()}

    def step(p, key, images, labels):
        def body(total, data):
            g = part(p, *data)
            return {k: total[k] + g[k] for k in p}, None

        split = lambda a: a.reshape(-1, microbatch, *a.shape[1:])
        total, _ = lax.scan(body, {k: jnp.zeros_like(v) for k, v in p.items()}, (split(images), split(labels)))
        if kind == "dp":
            keys = dict(zip(p, jax.random.split(key, len(p))))
            total = {k: v + jax.random.normal(keys[k], v.shape) for k, v in total.items()}
        return {k: v - 0.1 / case["batch"] * total[k] for k, v in p.items()}

    return jax.jit(step, donate_argnums=0)


def measure(kind, case, compute):
    rng = np.random.default_rng(1)
    shape = (case["batch"], case["views"], 32, 32, 3)
    images = jnp.asarray(rng.standard_normal(shape, np.float32)).astype(compute)
    labels = jnp.asarray(rng.integers(0, 10, shape[:2]), jnp.int32)
    loss, microbatch = make_loss(case["model"], compute), case["microbatch"]
    while True:
        # Standard deviation 0.1: standardisation and norms see to the rest.
        p = {k: jnp.asarray(0.1 * rng.standard_normal(s, np.float32)) for k, s in case["tensors"].items()}
        try:
            step = make_step(kind, loss, case, microbatch)
            began = time.perf_counter()
            p = jax.block_until_ready(step(p, jax.random.key(0), images, labels))
            compiled = time.perf_counter() - began
            times = []
            for i in range(case["steps"]):
                began = time.perf_counter()
                p = jax.block_until_ready(step(p, jax.random.key(i), images, labels))
                times.append(time.perf_counter() - began)
            break
        except Exception as e:  # jaxlib's class for it has changed names
            if "RESOURCE_EXHAUSTED" not in str(e) or microbatch == 1:
                raise
            microbatch //= 2
    return {
        "images_per_second": case["batch"] * case["views"] / sorted(times)[len(times) // 2],
        "microbatch": microbatch, "compile_seconds": compiled,
        "parameters": sum(int(np.prod(s)) for s in case["tensors"].values()),
    }


def main():
    began, task = time.monotonic(), json.load(sys.stdin)
    compute = {"bf16": jnp.bfloat16, "tf32": jnp.float32, "f32": jnp.float32}[task["precision"]]
    if task["precision"] == "f32":
        jax.config.update("jax_default_matmul_precision", "highest")
    device = jax.devices()[0]
    print(json.dumps({"jax": jax.__version__, "device": device.device_kind, "platform": device.platform}), flush=True)
    for case in task["cases"]:
        for kind, label in KINDS.items():
            line = {"label": label, "kind": kind, "model": case["model"], "views": case["views"]}
            if time.monotonic() - began > task["seconds"]:
                line["skipped"] = "out of time"
            else:
                try:
                    line.update(measure(kind, case, compute))
                except Exception as e:
                    line["error"] = f"{type(e).__name__}: {e}"[:500]
            print(json.dumps(line), flush=True)


main()
