"""Makes grid.json: δ(ε) of compositions of Poisson-subsampled Gaussians over the
whole range of settings that people use, in 25 digits.

    pip install python-flint && python3 grid.py > grid.json    # a few minutes

Arb's balls of 200 bits enclose every rounding error; what is left is the error
of two trapezoid rules. Each value comes from two contours and two grids, all
different, that must agree to 20 digits. Neither contour is at the saddle point,
and nothing is shared with the Go code or with reference.py.
"""

import itertools
import json
import math
import sys

from flint import acb, arb, ctx

ctx.prec = 200
DIGITS = 57  # nats: e^-57 = 2e-25


def loss(x, q, s, add):
    """ln P/Q at x; q, s and x are all floats, or all balls."""
    if isinstance(x, arb):
        l = (1 - q + q * ((x - arb("0.5")) / (s * s)).exp()).log()
    else:
        e = (x - 0.5) / (s * s)
        if q == 1:
            l = e
        elif e > 0:
            l = e + math.log(q + (1 - q) * math.exp(-e))
        else:
            l = math.log1p(q * math.expm1(e))
    return -l if add else l


def density(x, q, s, add):
    if isinstance(x, arb):
        n = lambda m: (-((x - m) ** 2) / (2 * s * s)).exp() / (s * (2 * arb.pi()).sqrt())
    else:
        n = lambda m: math.exp(-((x - m) ** 2) / (2 * s * s)) / (s * math.sqrt(2 * math.pi))
    return n(0) if add else (1 - q) * n(0) + q * n(1)


def span(s, c, add):
    return (-c - 13 * s, 1 + 13 * s) if add else (-13 * s, 1 + c + 13 * s)


def moments(phases, c, add, u=0.0):
    """K, K' and K'' at c, and ln |M(c + iu) / M(c)|, roughly, in floats."""
    k = k1 = k2 = fall = 0.0
    for q, s, steps in phases:
        lo, hi = span(s, c, add)
        n = int(min(max((hi - lo) / (s / 12), 400), 20000))
        logs, ls = [], []
        for i in range(n + 1):
            x = lo + (hi - lo) * i / n
            p = density(x, q, s, add)
            if p > 0:
                l = loss(x, q, s, add)
                logs.append(math.log(p) + c * l)
                ls.append(l)
        top = max(logs)
        w = [math.exp(v - top) for v in logs]
        total = sum(w)
        mean = sum(a * b for a, b in zip(w, ls)) / total
        k += steps * (top + math.log(total * (hi - lo) / n))
        k1 += steps * mean
        k2 += steps * sum(a * (b - mean) ** 2 for a, b in zip(w, ls)) / total
        re = sum(a * math.cos(u * b) for a, b in zip(w, ls)) / total
        im = sum(a * math.sin(u * b) for a, b in zip(w, ls)) / total
        fall += steps * math.log(max(math.hypot(re, im), 1e-300))
    return k, k1, k2, fall


def place(phases, delta, add):
    """A contour and a round ε at which δ is about delta."""
    lo, hi = 1e-3, 1e5
    for _ in range(60):
        c = math.sqrt(lo * hi)
        k, k1, k2, _ = moments(phases, c, add)
        eps = k1 - 1 / c - 1 / (1 + c)
        log = k - c * eps - math.log(c * (1 + c)) - 0.5 * math.log(2 * math.pi * (k2 + 1 / c**2 + 1 / (1 + c) ** 2))
        if log > math.log(delta):
            lo = c
        else:
            hi = c
        if hi / lo < 1.001:
            break
    return c, float(f"{eps:.3g}")


def invert(phases, eps, delta, c, add, fine):
    """1/(2 pi i) ∫ exp(K(z) - z eps) / (z (1+z)) dz on Re z = c."""
    k, _, k2, _ = moments(phases, c, add)
    goal = math.log(delta) - DIGITS
    period = -goal / c
    right = math.inf
    for f in (1.2, 1.5, 2):
        kf = moments(phases, c * f, add)[0]
        right = min(right, (kf - c * f * eps - goal) / (c * f - c))
    period = max(period, right) * fine
    reach = 11.5 / math.sqrt(k2)
    while moments(phases, c, add, reach)[3] + k - c * eps > goal:
        reach *= 1.3
        if reach > 1e5:
            return None
    du = 2 * math.pi / period
    n = int(reach / du) + 1
    columns = []
    for q, s, steps in phases:
        nats = DIGITS + math.log(steps)
        y = min(math.pi * s * s / 2, math.sqrt(2 * nats) * s)
        h = 2 * math.pi / (nats / y + y / (2 * s * s) + 2 * reach / (s * s)) / fine
        lo, hi = span(s, c, add)
        if (hi - lo) / h * n > 3e6:
            return None
        weight, turn, losses = [], [], []
        for i in range(int((hi - lo) / h) + 1):
            x = arb(lo) + i * arb(h)
            l = loss(x, arb(q), arb(s), add)
            weight.append(acb(arb(h) * density(x, arb(q), arb(s), add) * (arb(c) * l).exp()))
            turn.append(acb(0, arb(du) * l).exp())
            losses.append(l)
        columns.append([steps, weight, turn, weight, losses])
    total = acb(0)
    for i in range(n):
        z = acb(arb(c), i * arb(du))
        f = (-z * arb(eps)).exp() / (z * (1 + z))
        for column in columns:
            steps, weight, turn, first, losses = column
            f *= sum(weight, acb(0)) ** steps
            if i % 32 == 31:  # products of balls grow; start from small ones
                column[1] = [w * acb(0, (i + 1) * arb(du) * l).exp() for w, l in zip(first, losses)]
            else:
                column[1] = [a * b for a, b in zip(weight, turn)]
        total += f / 2 if i == 0 else f
    return total.real * arb(du) / arb.pi()


def single(q, s, eps, add):
    """One step: what P has over e^eps times Q, on one side of a threshold."""
    tail = lambda x: (x / arb(2).sqrt()).erfc() / 2
    q, s, e = arb(q), arb(s), arb(eps).exp()
    if add:
        if not eps < -float((1 - q).log()):
            return arb(0)
        x = s * s * (((1 / e) - 1 + q) / q).log() + arb("0.5")  # losses fall with x
        return tail(-x / s) - e * ((1 - q) * tail(-x / s) + q * tail((1 - x) / s))
    x = s * s * ((e - 1 + q) / q).log() + arb("0.5")
    return (1 - q) * tail(x / s) + q * tail((x - 1) / s) - e * tail(x / s)


def value(phases, delta, add):
    c, eps = place(phases, delta, add)
    if eps <= 0:
        return None
    if len(phases) == 1 and phases[0][2] == 1:
        return eps, single(phases[0][0], phases[0][1], eps, add)
    a = invert(phases, eps, delta, 0.8 * c, add, 1)
    b = a is not None and invert(phases, eps, delta, 1.15 * c, add, 1.13)
    if not b:
        return None
    if not abs(float(a.mid() / b.mid() - 1)) < 1e-20 or not float(a.rad()) < 1e-22 * float(a.mid()):
        sys.exit(f"{phases} {eps}: {a} and {b} differ")
    return eps, a


# A Latin walk through the range: every value of each parameter occurs with many
# of the others.
RATES = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 4096 / 50000, 0.5, 0.9, 1.0]
NOISES = [0.3, 0.5, 0.7, 1.0, 2.0, 5.0, 20.0, 100.0]
STEPS = [1, 2, 10, 100, 1000, 10000, 100000, 1000000]
DELTAS = [1e-12, 1e-9, 1e-7, 1e-5, 1e-3, 1e-2]
MIXED = [
    [(0.05, 2.0, 200), (0.2, 5.0, 100)],
    [(0.1, 3.0, 1000), (1.0, 30.0, 2)],
    [(0.01, 1.0, 1000), (0.5, 20.0, 50), (0.02, 1.5, 300)],
]


def settings():
    for i, (q, s, t) in enumerate(itertools.product(RATES, NOISES, STEPS)):
        if i % 5 == 0:
            yield [(q, s, t)], DELTAS[(i * 7 + i // 8) % 6], i % 4 == 1
    for phases in MIXED:
        for add in (False, True):
            yield phases, 1e-6, add


def main():
    rows = []
    for phases, delta, add in settings():
        got = value(phases, delta, add)
        if got is None or float(got[1].mid()) <= 0:
            continue
        rows.append({
            "phases": [{"q": q, "sigma": s, "steps": t} for q, s, t in phases],
            "add": add, "epsilon": got[0], "delta": got[1].mid().str(25, radius=False),
        })
        print(rows[-1], file=sys.stderr, flush=True)
    print("[\n" + ",\n".join("  " + json.dumps(r) for r in rows) + "\n]")


if __name__ == "__main__":
    main()
