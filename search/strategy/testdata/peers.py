"""What SciPy, Optuna and scikit-learn say, as peers.json beside this file.

pip install scipy==1.17.1 optuna==4.5.0 scikit-learn==1.9.1 && python peers.py
"""
import json
import pathlib

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from scipy.stats import qmc
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.linear_model import Ridge
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

rng = np.random.default_rng(7)
out = {"sobol": qmc.Sobol(d=40, scramble=False, bits=32).random(32).tolist(), "parzen": [], "gp": [], "quadratic": []}

# A range, an axis of 5 levels (places (k+1/2)/5), and one of 3 names.
space = {
    "x": FloatDistribution(0, 1),
    "level": FloatDistribution(0.1, 0.9, step=0.2),
    "name": CategoricalDistribution([0, 1, 2]),
}
for n in (1, 3, 10, 40, 150):
    obs = {"x": rng.random(n), "level": (rng.integers(0, 5, n) + 0.5) / 5, "name": rng.integers(0, 3, n).astype(float)}
    weights = np.linspace(0.5, 1, n)
    params = _ParzenEstimatorParameters(1.0, True, False, lambda k: np.ones(k), True, {})
    at = {"x": rng.random(6), "level": (rng.integers(0, 5, 6) + 0.5) / 5, "name": rng.integers(0, 3, 6).astype(float)}
    p = _ParzenEstimator(obs, space, params, weights)
    out["parzen"].append({
        "points": np.stack([obs["x"], obs["level"], (obs["name"] + 0.5) / 3], 1).tolist(),
        "weights": weights.tolist(),
        "at": np.stack([at["x"], at["level"], (at["name"] + 0.5) / 3], 1).tolist(),
        "log": p.log_pdf(at).tolist(),
    })

for n in (3, 12, 30):
    x, y, q = rng.random((n, 2)), rng.standard_normal(n), rng.random((5, 2))
    lengths, signal, noise = [0.3, 0.8], 1.7, 0.05
    k = ConstantKernel(signal) * Matern(lengths, nu=2.5)
    g = GaussianProcessRegressor(k + WhiteKernel(noise), optimizer=None, alpha=1e-8).fit(x, y)
    mean, std = g.predict(q, return_std=True)
    out["gp"].append({
        "x": x.tolist(), "y": y.tolist(), "q": q.tolist(), "lengths": lengths, "signal": signal, "noise": noise,
        "mean": mean.tolist(), "std": np.sqrt(std**2 - noise).tolist(), "log_likelihood": float(g.log_marginal_likelihood_value_),
    })

# Two ranges and an axis of 3 names; features have the sample's variance 1.
for n in (2, 5, 40):
    x, names, y = rng.random((n, 2)), rng.integers(0, 3, n), rng.standard_normal(n)
    features = np.hstack([
        PolynomialFeatures(2, include_bias=False).fit_transform(x - 0.5),
        OneHotEncoder(categories=[[0, 1, 2]], sparse_output=False).fit_transform(names[:, None]),
    ])
    features = StandardScaler().fit_transform(features) * np.sqrt((n - 1) / n)
    out["quadratic"].append({
        "x": np.column_stack([x, (names + 0.5) / 3]).tolist(), "y": y.tolist(),
        "fitted": Ridge(alpha=1).fit(features, y).predict(features).tolist(),
    })

pathlib.Path(__file__).with_name("peers.json").write_text(json.dumps(out) + "\n")
