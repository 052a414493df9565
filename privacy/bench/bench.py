"""Times and tightness of accountants side by side: bench.py PATH-OF-SWEEP.

Every time is CPU seconds on one core. Each σ is calibrated to a target, and its
true ε, by sweep's exact accountant, says how much of the target it wastes. sweep
is asked through `sweep account --cases`, as any program would ask it.
"""

import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
import types

# The settings of the calibration table in accounting.md, section 2.
SETTINGS = [
    ("CIFAR B=4096 T=875", 4096, 50000, 875, 1.0, 1e-5),
    ("CIFAR B=4096 T=2468", 4096, 50000, 2468, 8.0, 1e-5),
    ("CIFAR B=16384 T=2000", 16384, 50000, 2000, 8.0, 1e-5),
    ("CIFAR B=256 T=10000", 256, 50000, 10000, 3.0, 1e-5),
    ("ImageNet B=16384 T=71589", 16384, 1281167, 71589, 8.0, 8e-7),
]
REPEATS = 20  # of each question to sweep, which is too quick to be timed once


class Sweep:
    def __init__(self, path):
        self.path = path
        self.start = min(self.cpu([])[1] for _ in range(3))

    def cpu(self, questions, cores="1"):
        """The answers, and the CPU seconds of the process."""
        text = "".join(json.dumps(q) + "\n" for q in questions)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([self.path, "account", "--cases", "-"], input=text, capture_output=True,
                              text=True, check=True, env={**os.environ, "GOMAXPROCS": cores})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        for a in answers:
            if "error" in a:
                sys.exit(f"sweep: {a['error']}")
        return answers, spent

    def ask(self, question):
        """One answer, and the CPU seconds for it without those to start."""
        # The target moves by nothing that matters, so that no answer is remembered.
        questions = [{**question, "delta": question["delta"] * (1 + 1e-12 * i)} for i in range(REPEATS)]
        answers, spent = self.cpu(questions)
        return answers[0], max(spent - self.start, 1e-6) / REPEATS

    def calibrate(self, accountant):
        def by(q, steps, epsilon, delta):
            a, seconds = self.ask({"phases": [{"q": q, "steps": steps}], "calibrate": "sigma",
                                   "epsilon": epsilon, "delta": delta, "accountant": accountant})
            return a["sigma"], seconds
        return by

    def epsilon(self, accountant):
        def by(q, sigma, steps, delta):
            a, seconds = self.ask({"phases": [{"q": q, "sigma": sigma, "steps": steps}],
                                   "delta": delta, "accountant": accountant})
            return a["epsilon"], seconds
        return by

    def sweep_of_trials(self):
        """Wall seconds for 10,000 trials with distinct (q, sigma, T), on 2 cores."""
        questions = [{"phases": [{"q": (512 + i % 97 * 64) / 50000, "sigma": 1 + i % 101 / 10, "steps": 500 + i}], "delta": 1e-5}
                     for i in range(10000)]
        start = time.perf_counter()
        self.cpu(questions, cores="2")
        return time.perf_counter() - start


def timed(f):
    start = time.process_time()
    value = f()
    return value, time.process_time() - start


def dp_accounting_peers():
    import dp_accounting
    from absl import logging
    from dp_accounting import pld, rdp

    logging.set_verbosity(logging.ERROR)  # it warns of each order that it gives up

    def event(q, sigma, steps):
        return dp_accounting.SelfComposedDpEvent(
            dp_accounting.PoissonSampledDpEvent(q, dp_accounting.GaussianDpEvent(sigma)), steps)

    for name, fresh in (("dp_accounting PLD", pld.PLDAccountant), ("dp_accounting RDP", rdp.RdpAccountant)):
        def calibrate(q, steps, epsilon, delta, fresh=fresh):
            return timed(lambda: dp_accounting.calibrate_dp_mechanism(
                fresh, lambda sigma: event(q, sigma, steps), epsilon, delta))

        def price(q, sigma, steps, delta, fresh=fresh):
            return timed(lambda: fresh().compose(event(q, sigma, steps)).get_epsilon(delta))

        yield name, calibrate, price


def opacus_peers():
    # The accountants import the package, and that torch, which they do not use.
    found = importlib.util.find_spec("opacus")
    package, optimizers = types.ModuleType("opacus"), types.ModuleType("opacus.optimizers")
    package.__path__ = list(found.submodule_search_locations)
    optimizers.DPOptimizer = object
    sys.modules.update({"opacus": package, "opacus.optimizers": optimizers})
    from opacus.accountants import create_accountant
    from opacus.accountants.utils import get_noise_multiplier

    for kind in ("prv", "rdp"):
        def calibrate(q, steps, epsilon, delta, kind=kind):
            return timed(lambda: get_noise_multiplier(
                target_epsilon=epsilon, target_delta=delta, sample_rate=q, steps=steps, accountant=kind))

        def price(q, sigma, steps, delta, kind=kind):
            accountant = create_accountant(mechanism=kind)
            accountant.history = [(sigma, q, steps)]
            return timed(lambda: accountant.get_epsilon(delta=delta))

        yield "Opacus " + kind.upper(), calibrate, price


def peers():
    if importlib.util.find_spec("dp_accounting"):
        yield from dp_accounting_peers()
    if importlib.util.find_spec("opacus"):
        yield from opacus_peers()


def attempt(f):
    try:
        return f()
    except Exception as e:  # a peer that fails is a result
        return None, type(e).__name__ + ": " + str(e)[:60]


def main():
    sweep = Sweep(sys.argv[1])
    tools = [("sweep " + a, sweep.calibrate(a), sweep.epsilon(a)) for a in ("certified", "pld", "rdp")]
    tools += list(peers())
    exact = sweep.epsilon("exact")
    for name, calibrate, price in tools[3:]:
        attempt(lambda: price(0.1, 5, 100, 1e-5))  # imports and tables
    print(f"{'setting':<26} {'accountant':<18} {'sigma':>9} {'true eps':>10} {'wasted':>8} {'calib. s':>9} {'x sweep':>8}"
          f" {'eps at it':>10} {'eps s':>8} {'x sweep':>8}")
    for name, batch, n, steps, epsilon, delta in SETTINGS:
        q, ours, at = batch / n, None, None
        for tool, calibrate, price in tools:
            sigma, seconds = attempt(lambda: calibrate(q, steps, epsilon, delta))
            if sigma is None:
                print(f"{name:<26} {tool:<18} {seconds}")
                continue
            truth, _ = exact(q, sigma, steps, delta)
            at = at or sigma  # all price the same run
            said, each = attempt(lambda: price(q, at, steps, delta))
            ours = ours or (seconds, each)
            shown = f"{'':>10} {each}" if said is None else f"{said:10.6f} {each:8.4f} {each / ours[1]:8.1f}"
            print(f"{name:<26} {tool:<18} {sigma:9.5f} {truth:10.6f} {1 - truth / epsilon:8.3%} {seconds:9.4f} {seconds / ours[0]:8.1f} {shown}",
                  flush=True)
    print(f"\n10,000 distinct trials by sweep certified on 2 cores: {sweep.sweep_of_trials():.1f} s of wall time")


if __name__ == "__main__":
    main()
