"""Makes reference.json: δ(ε) of Poisson-subsampled Gaussians in 50 digits.

    pip install mpmath && python3 reference.py > reference.json    # some minutes

Each value comes by two settings of the quadrature that must agree to 20 digits.
Nothing here is shared with the Go code: single steps are the closed form, two
steps an integral of it, and many steps the inversion of the composed moment
generating function with mpmath's own arithmetic, on a contour that is not at
the saddle point.
"""

import json
import sys

from mpmath import exp, erfc, log, mp, mpc, mpf, pi, quad, sqrt

mp.dps = 50


def normal(x, mean, s):
    return exp(-((x - mean) ** 2) / (2 * s * s)) / (s * sqrt(2 * pi))


def tail(x):
    return erfc(x / sqrt(2)) / 2


def single(q, s, eps):
    """Removing: outputs above the threshold, under P less e^eps times under Q."""
    if exp(eps) <= 1 - q:
        return 1 - exp(eps)
    x = s * s * log((exp(eps) - 1 + q) / q) + mpf(1) / 2
    return (1 - q) * tail(x / s) + q * tail((x - 1) / s) - exp(eps) * tail(x / s)


def double(q, s, eps, pieces):
    """Two steps: the closed form at what the first step leaves of eps.

    The closed form has its one point that is not analytic at eps = log(1-q), so
    the integral is cut there."""

    def f(x):
        p = (1 - q) * normal(x, 0, s) + q * normal(x, 1, s)
        loss = log(1 - q + q * exp((x - mpf(1) / 2) / (s * s)))
        return p * single(q, s, eps - loss)

    cut = s * s * log((exp(eps - log(1 - q)) - 1 + q) / q) + mpf(1) / 2
    lo, hi = -14 * s, 1 + 14 * s
    points = [lo + (cut - lo) * i / pieces for i in range(pieces)]
    points += [cut + (hi - cut) * i / pieces for i in range(pieces + 1)]
    return quad(f, points)


def many(q, s, steps, eps, c, reach, fine):
    """delta = 1/(2 pi i) * integral of M(z)^T exp(-z eps) / (z (1+z)) at Re z = c."""
    c = mpf(c)
    width = mpf(90) / c  # aliases are e^-90
    du = 2 * pi / width / fine
    n = int(reach / du) + 1
    y = pi * s * s / 2
    h = 2 * pi / (75 / y + y / (2 * s * s) + 2 * reach / (s * s)) / fine
    weight, turn, at = [], [], []
    x = -14 * s
    while x < 1 + c + 14 * s:
        p = (1 - q) * normal(x, 0, s) + q * normal(x, 1, s)
        loss = log(1 - q + q * exp((x - mpf(1) / 2) / (s * s)))
        weight.append(h * p * exp(c * loss))
        turn.append(exp(mpc(0, du * loss)))
        x += h
    total = mpc(0)
    for k in range(n):
        m = sum(weight)
        z = mpc(c, k * du)
        f = exp(steps * log(m) - z * eps) / (z * (1 + z))
        total += f / 2 if k == 0 else f
        weight = [w * t for w, t in zip(weight, turn)]
    return total.real * du / pi


# q, sigma, steps, epsilon; for many steps also a place for the contour and the
# frequency where the integrand is negligible.
SINGLE = [(1e-6, 0.3, 1.0), (1e-6, 0.5, 0.25), (1e-3, 1.0, 0.5), (0.01, 1.0, 0.2), (0.3, 3.0, 0.4), (0.9, 100.0, 0.03), (1.0, 0.3, 20.0)]
DOUBLE = [(0.01, 1.0, 0.25), (0.2, 3.0, 0.4), (0.5, 1.0, 2.0), (0.001, 0.7, 0.3)]
MANY = [
    (4096 / 50000, 10.0, 875, 0.9, 6, 70),
    (16384 / 50000, 9.4, 2000, 7.4, 0.6, 9),
    (4096 / 50000, 3.0, 1000, 5.9, 1.1, 16),
    (0.5, 100.0, 1000, 1.0, 8, 90),
    (0.01, 1.0, 1000, 1.8, 3, 90),
    (0.01, 5.0, 1000000, 10.0, 0.55, 8),
    (0.1, 2.0, 100, 3.0, 1.7, 40),
    (4096 / 50000, 10.0, 875, 2.0, 12, 75),
]


def agree(a, b, what):
    if abs(a / b - 1) > mpf(10) ** -20:
        sys.exit(f"{what}: {mp.nstr(a, 30)} and {mp.nstr(b, 30)} differ")
    return a


def main():
    rows = []

    def add(q, s, steps, eps, value):
        rows.append({"q": q, "sigma": s, "steps": steps, "epsilon": eps, "delta": mp.nstr(value, 25)})
        print(rows[-1], file=sys.stderr)

    for q, s, eps in SINGLE:
        add(q, s, 1, eps, single(mpf(q), mpf(s), mpf(eps)))
    for q, s, eps in DOUBLE:
        a, b = (double(mpf(q), mpf(s), mpf(eps), pieces) for pieces in (10, 13))
        add(q, s, 2, eps, agree(a, b, (q, s, eps)))
    for q, s, steps, eps, c, reach in MANY:
        a = many(mpf(q), mpf(s), steps, mpf(eps), c, mpf(reach), 1)
        b = many(mpf(q), mpf(s), steps, mpf(eps), c * 1.15, mpf(reach) * 1.1, mpf("1.1"))
        add(q, s, steps, eps, agree(a, b, (q, s, steps, eps)))
    print("[\n" + ",\n".join("  " + json.dumps(r) for r in rows) + "\n]")


if __name__ == "__main__":
    main()
