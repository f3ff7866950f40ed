"""The sweep of `mrl eval` by scikit-learn: PCA, logistic probes to the same objective, 1-NN by cosine; times as JSON.

Reading files and checking results are not timed. Each fit uses the loosest tolerance that reaches our objective within
1e-6, found beforehand, and one thread, which is scikit-learn's fastest for fits of this size; products of matrices
(PCA, 1-NN) use all threads.

Needs: numpy, scikit-learn, threadpoolctl. Run: python sklearn_eval.py TRAIN TEST REPORT.json OUT.json [--plan PLAN.json]
REPORT.json is what `mrl eval` wrote for the same sets; PLAN.json keeps the tolerances that were found.
"""

import argparse
import json
import struct
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

TOLERANCES = [1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 1e-7]
AGREEMENT = 1e-6


def read(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
    tensor = lambda name, dtype: np.fromfile(
        path, dtype, offset=8 + size + header[name]["data_offsets"][0], count=int(np.prod(header[name]["shape"]))
    ).reshape(header[name]["shape"])
    return tensor("embeddings", "<f4"), tensor("labels", "<i8")


def timed(work):
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def fit(x, y, l2, tolerance):
    scaler = StandardScaler()
    z = scaler.fit_transform(x.astype(np.float64))
    probe = LogisticRegression(C=1 / l2, tol=tolerance, max_iter=10_000).fit(z, y)
    return scaler, probe, z


def objective(probe, z, y, l2):
    log_probability = probe.predict_log_proba(z)[np.arange(len(y)), np.searchsorted(probe.classes_, y)]
    return float(-log_probability.sum() + 0.5 * l2 * (probe.coef_**2).sum())


def nearest(x, y, x_test, block=1000):
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, x_test)]
    parts = [(unit[1][i : i + block] @ unit[0].T).argmax(1) for i in range(0, len(x_test), block)]
    return y[np.concatenate(parts)]


def probe_at(key, x, y, x_test, l2, ours, plan):
    """Seconds and accuracy of the fit at the planned tolerance; plans it first where it is not planned yet."""
    while True:
        tolerance = plan.setdefault(key, TOLERANCES[0])
        (scaler, probe, z), seconds = timed(lambda: fit(x, y, l2, tolerance))
        difference = objective(probe, z, y, l2) / ours - 1.0
        if abs(difference) <= AGREEMENT or tolerance == TOLERANCES[-1]:
            predicted, more = timed(lambda: probe.predict(scaler.transform(x_test.astype(np.float64))))
            return seconds + more, predicted, difference, int(probe.n_iter_[0])
        plan[key] = TOLERANCES[TOLERANCES.index(tolerance) + 1]


def main():
    parser = argparse.ArgumentParser()
    for name in ("train", "test", "report", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--plan", type=Path)
    args = parser.parse_args()
    (x, y), (x_test, y_test) = read(args.train), read(args.test)
    report = json.loads(args.report.read_text())
    dims, l2 = report["dims"], report["options"]["l2"]
    plan = json.loads(args.plan.read_text()) if args.plan and args.plan.exists() else {}

    def rotate():
        # In float64, for in float32 the small components are too far off for the objectives to agree.
        wide = x.astype(np.float64)
        pca = PCA(svd_solver="covariance_eigh").fit(wide)
        return [pca.transform(rows).astype(np.float32) for rows in (wide, x_test.astype(np.float64))]

    rotated, pca_seconds = timed(rotate)
    rows = []
    for method, (features, test) in {"prefix": (x, x_test), "pca": rotated}.items():
        for index, dim in enumerate(dims):
            a, b = np.ascontiguousarray(features[:, :dim]), np.ascontiguousarray(test[:, :dim])
            ours = report["methods"][method]["probe"][index]["objective"]
            with threadpool_limits(1):
                seconds, predicted, difference, steps = probe_at(f"{method} {dim}", a, y, b, l2, ours, plan)
            found, knn_seconds = timed(lambda: nearest(a, y, b))
            rows.append({
                "method": method, "dim": dim, "probe_s": seconds, "knn_s": knn_seconds, "steps": steps,
                "objective_difference": difference, "probe_accuracy": float((predicted == y_test).mean()),
                "knn_accuracy": float((found == y_test).mean()), "tolerance": plan[f"{method} {dim}"],
            })
    args.out.write_text(json.dumps({"pca_s": pca_seconds, "rows": rows}, indent=1))
    if args.plan:
        args.plan.write_text(json.dumps(plan))


main()
