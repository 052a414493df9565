"""Runs StableHLO programs with the XLA of jaxlib, on the CPU.

Reads from standard input one JSON object a line:

    {"program": FILE, "args": [{"element": "f32", "shape": [2], "file": FILE}, ...], "results": [FILE, ...]}

where the files of arguments are raw little-endian numbers, and answers each with
a line, "ok" or what went wrong, once it has written the results the same way.
"""

import json
import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax  # noqa: E402
import jaxlib  # noqa: E402
import ml_dtypes  # noqa: E402
import numpy as np  # noqa: E402
from jax._src.lib import xla_client  # noqa: E402
from jax.extend import backend  # noqa: E402
from jaxlib import _jax  # noqa: E402

jax.config.update("jax_enable_x64", True)

TYPES = {"i1": np.bool_, "ui8": np.uint8, "i32": np.int32, "ui32": np.uint32, "ui64": np.uint64,
         "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}

client = backend.get_backend("cpu")
devices = client.devices()[:1]
options = xla_client.CompileOptions()
options.executable_build_options.debug_options.xla_backend_optimization_level = 0  # quick to compile


def run(job):
    with open(job["program"]) as f:
        text = f.read()
    executable = client.compile_and_load(text, _jax.DeviceList(tuple(devices)), options)
    args = []
    for a in job["args"]:
        numbers = np.fromfile(a["file"], dtype=TYPES[a["element"]]).reshape(a["shape"])
        args.append(jax.device_put(numbers, devices[0]))
    results = executable.execute_sharded(args).disassemble_into_single_device_arrays()
    for r, path in zip(results, job["results"], strict=True):
        np.asarray(r[0]).tofile(path)


print("jaxlib", jaxlib.__version__, flush=True)
for line in sys.stdin:
    try:
        run(json.loads(line))
        print("ok", flush=True)
    except Exception as err:  # to be told to whoever asked
        print(str(err).replace("\n", " | ")[:4000], flush=True)
