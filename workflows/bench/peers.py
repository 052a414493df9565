"""The job of bench.sh under Optuna or Ray Tune: TRIALS trials that sleep for
SECONDS and report one accuracy, AT_ONCE at a time.

    python peers.py optuna|ray TRIALS SECONDS AT_ONCE

Optuna keeps its study in SQLite and runs trials in threads of one process; Ray
Tune runs each in an actor, a process of its own. Neither verifies, fences or
prices what a trial did, so this compares the cost of running trials alone.
"""
import os
import resource
import sys
import tempfile
import time

peer, trials, seconds, at_once = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
os.environ.update(RAY_AIR_NEW_OUTPUT="0", RAY_usage_stats_enabled="0", TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1")


def run_optuna():
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        study = optuna.create_study(storage=f"sqlite:///{folder}/study.db", direction="maximize")

        def objective(trial):
            rate = trial.suggest_float("learning_rate", 0.1, 10, log=True)
            time.sleep(seconds)
            return 1 / (1 + rate)

        began = time.time()
        study.optimize(objective, n_trials=trials, n_jobs=at_once)
        took = time.time() - began
        assert len(study.trials) == trials
    return took, optuna.__version__


def run_ray():
    import ray
    from ray import tune

    ray.init(num_cpus=at_once, include_dashboard=False, log_to_driver=False, logging_level="ERROR")

    def objective(config):
        time.sleep(seconds)
        tune.report({"accuracy": 1 / (1 + config["learning_rate"])})

    with tempfile.TemporaryDirectory() as folder:
        began = time.time()
        found = tune.Tuner(
            tune.with_resources(objective, {"cpu": 1}),
            param_space={"learning_rate": tune.loguniform(0.1, 10)},
            tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=at_once),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
        took = time.time() - began
        assert len(found) == trials and not found.errors
    return took, ray.__version__


took, version = {"optuna": run_optuna, "ray": run_ray}[peer]()
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
line = f"{peer} {version}: {trials} trials of {seconds:g} s, {at_once} at a time: {took:.1f} s, {trials / took:.1f} trials/s"
line += f", CPU {sum(u.ru_utime + u.ru_stime for u in used):.0f} s (without Ray's daemons)"
if seconds:
    line += f", overhead {(took * at_once / trials - seconds) * 1000:.1f} ms a trial"
print(line, flush=True)
