#!/bin/sh
# Compares the CPU engine with PyTorch (not private), Opacus and JAX on the same
# models, batches and threads, steps interleaved. The peers come from PyPI into a
# virtual environment beside this file, which takes minutes and gigabytes the
# first time; without PyPI the engine runs alone, and the output says so.
#
#	trainerplugin/bench/bench.sh [--threads N] [--rounds N] [MODEL ...]
set -eu
cd "$(dirname "$0")"
venv=${SWEEP_BENCH_VENV:-$PWD/.venv}
program=$(mktemp)
trap 'rm -f "$program"' EXIT
go build -o "$program" .

# Some machines pin OpenBLAS to an old processor, which would hold the peers back.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import torch, opacus, safetensors' 2>/dev/null; then
	echo "bench: installing torch and Opacus into $venv" >&2
	python3 -m venv "$venv" && "$venv/bin/pip" install -q torch opacus safetensors numpy || {
		echo "PyPI gave no torch and Opacus: the engine runs alone, and nothing is compared."
		python3 peers.py "$program" --alone "$@"
		exit
	}
	"$venv/bin/pip" install -q jax jax-privacy || echo "bench: no JAX; compared without it" >&2
fi
"$venv/bin/python" peers.py "$program" "$@"
