"""Makes selection.json: private selection priced by another implementation.

    pip install dp-accounting==0.6.0 && python3 selection.py > selection.json

Each row is the ε that Google's dp_accounting gives for its RepeatAndSelectDpEvent
(Papernot and Steinke's Theorems 2 and 6) over Poisson-subsampled Gaussian steps.
Its orders are integers: its divergences at fractional orders drop signs and are
not tight. Since fewer orders can only raise the bound, these values are above
what more orders would give, by little.
"""

import json

import dp_accounting as dp
from dp_accounting import rdp

orders = list(range(2, 65)) + list(range(66, 257, 2)) + [320, 384, 448, 512]
add_remove = dp.NeighboringRelation.ADD_OR_REMOVE_ONE


def run(q, sigma, steps):
    return dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(q, dp.GaussianDpEvent(sigma)), steps)


def epsilon(event, delta):
    a = rdp.RdpAccountant(orders, add_remove)
    a.compose(event)
    return a.get_epsilon(delta)


rows = []
for count, mean, shape in [
    ("logarithmic", 10, 0),
    ("logarithmic", 100, 0),
    ("geometric", 10, 1),
    ("geometric", 50, 1),
    ("truncated_negative_binomial", 20, 0.5),
    ("truncated_negative_binomial", 40, 3),
    ("truncated_negative_binomial", 8, 2),
    ("poisson", 5, float("inf")),
    ("poisson", 20, float("inf")),
]:
    for q, sigma, steps, delta in [(4096 / 50000, 10.0, 875, 1e-5), (256 / 60000, 1.3, 3500, 1e-6)]:
        event = dp.dp_event.RepeatAndSelectDpEvent(run(q, sigma, steps), mean, shape)
        rows.append(
            dict(count=count, mean=mean, shape=0 if count != "truncated_negative_binomial" else shape,
                 q=q, sigma=sigma, steps=steps, delta=delta, epsilon=epsilon(event, delta),
                 alone=epsilon(run(q, sigma, steps), delta))
        )
print("[\n" + ",\n".join("  " + json.dumps(r) for r in rows) + "\n]")
