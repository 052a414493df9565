"""The engine's architectures in JAX, on the engine's weights as they are."""

import jax
import jax.numpy as jnp
from jax import lax, nn


def conv(x, w, b, stride, padding):
    dims = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=dims) + b


def ws_conv(p, name, x, stride):
    w = p[name + "/w"]
    fan_in = w[..., 0].size
    mean, var = w.mean((0, 1, 2)), w.var((0, 1, 2))
    scale = p[name + "/gain"] * lax.rsqrt(jnp.maximum(var * fan_in, 1e-4))
    return conv(x, (w - mean) * scale, p[name + "/b"], stride, "SAME")


def relu_norm(p, name, x):
    x = nn.relu(x)
    g = x.reshape(*x.shape[:3], 16, -1)
    mean, var = g.mean((1, 2, 4), keepdims=True), g.var((1, 2, 4), keepdims=True)
    return ((g - mean) * lax.rsqrt(var + 1e-5)).reshape(x.shape) * p[name + "/scale"] + p[name + "/offset"]


def wide_resnet(depth):
    def forward(p, x):
        x = ws_conv(p, "stem", x, 1)
        for g in (1, 2, 3):
            for i in range(1, (depth - 4) // 6 + 1):
                name, stride, skip = f"group{g}/block{i}", 2 if g > 1 and i == 1 else 1, x
                if i == 1:
                    skip = ws_conv(p, name + "/skip/conv", relu_norm(p, name + "/skip/norm", x), stride)
                h = ws_conv(p, name + "/conv1", relu_norm(p, name + "/norm1", x), stride)
                x = skip + ws_conv(p, name + "/conv2", relu_norm(p, name + "/norm2", h), 1)
        return relu_norm(p, "norm", x).mean((1, 2)) @ p["classifier/w"] + p["classifier/b"]

    return forward


def tanh_cnn(p, x):
    def pool(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 1, 1, 1), "VALID")

    x = pool(jnp.tanh(conv(x, p["conv1/w"], p["conv1/b"], 2, "SAME")))
    x = pool(jnp.tanh(conv(x, p["conv2/w"], p["conv2/b"], 2, "VALID")))
    x = jnp.tanh(x.reshape(x.shape[0], -1) @ p["dense1/w"] + p["dense1/b"])
    return x @ p["classifier/w"] + p["classifier/b"]


def loss(name):
    """The loss of one image, as a function of weights, image and label."""
    forward = tanh_cnn if name == "tanh-cnn" else wide_resnet(int(name.split("-")[1]))
    return lambda p, x, y: -nn.log_softmax(forward(p, x[None]))[0, y]
