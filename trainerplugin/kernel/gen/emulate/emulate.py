"""Runs the AVX-512 tiles of package kernel in the Bochs emulator.

For machines without AVX-512, where `go test` cannot reach that path. Each tile
function is taken out of a test binary, placed in an emulated 64-bit processor
with its arguments on the stack, and its result compared with a float64 sum,
within n rounded products of 2^-24. The AVX2 tiles, which `go test` does reach,
run first, to check the emulation. Needs Linux, Go, Python and two packages:

    python3 -m venv v && v/bin/pip install bochscpu-python==0.4.0 numpy
    go test -c -o kernel.test sweep/trainerplugin/kernel
    v/bin/python emulate.py kernel.test

On a glibc older than 2.38 the wheel misses __isoc23_strtoull and its kin; a
preloaded library that forwards them to strtoull supplies them.
"""

import itertools
import struct
import subprocess
import sys

import bochscpu
import bochscpu.cpu
import bochscpu.memory as memory
import numpy as np

PAGE = 4096
CODE, STACK, DATA, TABLES = 0x100000, 0x200000, 0x300000, 0x1000000
DATA_PAGES = 64
RETURN = CODE + 3 * PAGE  # where a finished function returns to
LANES = 16


def functions(binary):
    """The machine code of each tile function, by name."""
    image = open(binary, "rb").read()
    offset, count = struct.unpack_from("<Q", image, 32)[0], struct.unpack_from("<H", image, 56)[0]
    headers = [struct.unpack_from("<IIQQQQ", image, offset + 56 * i) for i in range(count)]
    listing = subprocess.run(["go", "tool", "nm", "-size", binary], capture_output=True, text=True, check=True)
    code = {}
    for line in listing.stdout.splitlines():
        fields = line.split()
        if fields[-1].endswith(".abi0") and ".tileAVX" in fields[-1]:
            address, size = int(fields[0], 16), int(fields[1])
            for kind, _, at, start, _, length in headers:
                if kind == 1 and start <= address < start + length:
                    code[fields[-1].split(".")[-2]] = image[at + address - start :][:size]
    return code


def map_memory():
    """Maps code, stack and data one to one. The table must be kept: it owns the tables."""
    table = memory.PageMapLevel4Table()
    for base, pages, access in ((CODE, 4, "Execute"), (STACK, 4, "Write"), (DATA, DATA_PAGES, "Write")):
        for page in range(base, base + pages * PAGE, PAGE):
            memory.page_insert(page, memory.allocate_host_page())
            table.insert(page, page, getattr(memory.AccessType, access).value)
    for host, guest in table.commit(TABLES):
        memory.page_insert(guest, host)
    return table


def write(address, data):
    while data:
        n = min(len(data), PAGE - address % PAGE)
        memory.phy_write(address, list(data[:n]))
        address, data = address + n, data[n:]


def read(address, size):
    data = b""
    while size:
        n = min(size, PAGE - address % PAGE)
        data += bytes(memory.phy_read(address, n))
        address, size = address + n, size - n
    return data


def missing(address):
    raise SystemExit(f"no page at {address:#x}")


def segment(selector, attributes):
    s = bochscpu.Segment()
    s.present, s.selector, s.base, s.limit, s.attr = True, selector, 0, 0xFFFFFFFF, attributes
    return s


def call(code, arguments):
    """Calls a function of Go's stack calling convention."""
    write(CODE, code)
    write(RETURN, b"\xf4")
    stack = STACK + 2 * PAGE
    write(stack, struct.pack(f"<Q{len(arguments)}q", RETURN, *arguments))
    session, state = bochscpu.Session(), bochscpu.State()
    session.missing_page_handler = missing
    bochscpu.cpu.set_long_mode(state)
    state.cr4 = 1 << 5 | 1 << 9 | 1 << 10 | 1 << 18  # PAE, SSE, its exceptions, XSAVE
    state.xcr0, state.mxcsr, state.mxcsr_mask = 0xE7, 0x1F80, 0xFFFF  # AVX-512 state on
    state.cr3, state.rip, state.rsp, state.rflags = TABLES, CODE, stack, 2
    state.cs, state.ds = segment(0x33, 0x22FB), segment(0x2B, 0xCF3)
    state.ss, state.es = state.ds, state.ds
    session.cpu.state = state
    faults = []
    hook = bochscpu.Hook()

    def before(s, _cpu, _instruction):
        if s.cpu.rip == RETURN:
            s.stop()

    def exception(s, _cpu, vector, _error):
        faults.append(vector)
        s.stop()

    hook.before_execution, hook.exception = before, exception
    session.run([hook])
    if faults or session.cpu.rip != RETURN or session.cpu.rsp != stack + 8:
        raise SystemExit(f"exception {faults} at offset {session.cpu.rip - CODE:#x}")


def check(name, code, rows, runs, columns, depth, taps, rng):
    rows *= runs
    a_row, a_step, b_step = (int(v) for v in rng.integers((0, 0, LANES), (40, 40, LANES + 20)))
    c_row, d_row = int(rng.integers(LANES, LANES + 20)), LANES * int(rng.integers(0, 3))
    terms = rng.integers(0, 100, (taps, 2)).astype(np.int64)
    reach, steps = terms.max(axis=0, initial=0), max(depth - 1, 0)
    numbers = lambda n: rng.standard_normal(n).astype(np.float32)
    a = numbers(reach[0] + (rows - 1) * a_row + steps * a_step + 1)
    b = [numbers(reach[1] + steps * b_step + LANES) for _ in range(columns)]
    c = [numbers((rows - 1) * c_row + LANES) for _ in range(columns)]
    d = [numbers((rows - 1) * d_row + LANES) for _ in range(columns)]

    place = {}
    at = DATA
    for x in (terms, a, *b, *c, *d):
        place[id(x)] = at
        write(at, x.tobytes())
        at += (x.nbytes + 63) // 64 * 64 + 68  # off any alignment
    p = lambda x: place[id(x)]
    call(code, [runs, p(terms), taps, depth, p(a), a_row, a_step, *map(p, b), b_step, *map(p, c), c_row, *map(p, d), d_row])

    for k in range(columns):
        got = np.frombuffer(read(p(c[k]), c[k].nbytes), np.float32).astype(np.float64)
        want, size = c[k].astype(np.float64), np.zeros(len(c[k]))
        for r in range(rows):
            products = [d[k][r * d_row :][:LANES].astype(np.float64)] + [
                float(a[ta + r * a_row + s * a_step]) * b[k][tb + s * b_step :][:LANES].astype(np.float64)
                for ta, tb in terms
                for s in range(depth)
            ]
            want[r * c_row :][:LANES] = np.sum(products, axis=0)
            size[r * c_row :][:LANES] = np.sum(np.abs(products), axis=0)
        if not (abs(got - want) <= (depth * taps + 1) * 2.0**-24 * size).all():
            raise SystemExit(f"{name}: depth {depth}, {taps} taps: off by {abs(got - want).max()}")


def main():
    code, rng = functions(sys.argv[1]), np.random.default_rng(1)
    table = map_memory()
    tiles = [(f"tileAVX2x{r}", r, 1) for r in range(1, 7)]
    tiles += [(f"tileAVX512x{r}x{c}", r, c) for r in range(1, 9) for c in (1, 2)]
    for name, rows, columns in tiles:
        for runs, depth, taps in itertools.product((1, 3), (0, 1, 2, 7, 16), (0, 1, 3, 9)):
            check(name, code[name], rows, runs, columns, depth, taps, rng)
        print(name, "ok")
    del table


main()
