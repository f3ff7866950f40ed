"""Writes eval.json: what scikit-learn's logistic regression and PCA, and plain numpy, make of small sets.

Needs: numpy 2.4, scikit-learn 1.9 (any version with the same objective will do).
Run:   python goldens/eval/make.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler


def blobs(seed, n, test, d, classes, spread, labels=None):
    """Gaussian classes around random centres: features [n + test, d] and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(classes) if labels is None else np.array(labels)
    centres = rng.normal(size=(classes, d))
    drawn = rng.permutation(np.arange(n + test) % classes)
    features = spread * centres[drawn] + rng.normal(size=(n + test, d))
    return (features[:n], labels[drawn[:n]]), (features[n:], labels[drawn[n:]])


def without(pair, label):
    features, labels = pair
    return features[labels != label], labels[labels != label]


def with_constants(pair):
    features, labels = pair
    features = features.copy()
    features[:, [1, 4]] = [0.1, -7.0]
    return features, labels


def scaled(pair, factors):
    return pair[0] * factors, pair[1]


def problems():
    yield "two classes", *blobs(0, 60, 20, 5, 2, 0.7), 1.0
    yield "separable", *blobs(1, 60, 20, 6, 3, 6.0), 0.01
    train, test = blobs(2, 80, 40, 6, 4, 1.0)
    yield "a class that training lacks", without(train, 2), test, 1.0
    train, test = blobs(8, 80, 40, 6, 4, 1.0)
    yield "a class that test lacks", train, without(test, 1), 1.0
    yield "many classes, labels with gaps", *blobs(3, 160, 60, 8, 20, 1.0, np.arange(20) * 7 + 3), 1.0
    yield "a hundred classes", *blobs(7, 300, 100, 10, 100, 1.5), 0.1
    yield "more features than rows", *blobs(4, 20, 20, 40, 3, 0.5), 1.0
    yield "constant features", *(with_constants(pair) for pair in blobs(5, 60, 30, 7, 3, 1.0)), 1.0
    factors = 10.0 ** np.linspace(-4, 4, 6)
    yield "scales from 1e-4 to 1e4", *(scaled(pair, factors) for pair in blobs(6, 90, 30, 6, 3, 1.0)), 1.0


def neighbours(x, y, x_test, y_test, k=5, temperature=0.1, hits=7):
    """Accuracy of the weighted vote, and mean average precision over queries that have something to find."""
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, x_test)]
    cosines = unit[1] @ unit[0].T
    order = np.argsort(-cosines, axis=1, kind="stable")
    right, precisions = [], []
    for row, cosine, label in zip(order, cosines, y_test):
        votes = {c: np.exp(cosine[row[:k]][y[row[:k]] == c] / temperature).sum() for c in np.unique(y)}
        right.append(max(votes, key=votes.get) == label)
        if relevant := (y == label).sum():
            found = y[row[:hits]] == label
            precision = np.cumsum(found) / np.arange(1, len(found) + 1)
            precisions.append((precision * found).sum() / min(hits, relevant))
    return float(np.mean(right)), float(np.mean(precisions))


def measure(name, train, test, l2):
    (x, y), (x_test, y_test) = [(features.astype(np.float32), labels) for features, labels in (train, test)]
    scaler = StandardScaler().fit(x.astype(np.float64))
    z, z_test = scaler.transform(x.astype(np.float64)), scaler.transform(x_test.astype(np.float64))
    probe = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-12, max_iter=10_000).fit(z, y)
    log_probability = probe.predict_log_proba(z)[np.arange(len(y)), np.searchsorted(probe.classes_, y)]
    known = np.isin(y_test, probe.classes_)
    truth = np.searchsorted(probe.classes_, y_test[known])
    log_loss = -probe.predict_log_proba(z_test)[known][np.arange(known.sum()), truth].mean()
    vote, mean_average_precision = neighbours(x.astype(np.float64), y, x_test.astype(np.float64), y_test)
    pca = PCA(svd_solver="full").fit(x.astype(np.float64))
    return {
        "name": name,
        "l2": l2,
        "dims": x.shape[1],
        "train": x.ravel().tolist(),
        "train_labels": y.tolist(),
        "test": x_test.ravel().tolist(),
        "test_labels": y_test.tolist(),
        "objective": float(-log_probability.sum() + 0.5 * l2 * (probe.coef_**2).sum()),
        "logits": probe.decision_function(z_test).ravel().tolist(),
        "accuracy": float((probe.predict(z_test) == y_test).mean()),
        "log_loss": float(log_loss),
        "vote": vote,
        "mean_average_precision": mean_average_precision,
        "variances": (pca.explained_variance_ * (len(x) - 1) / len(x)).tolist(),
        "projected": np.abs(pca.transform(x_test.astype(np.float64))).ravel().tolist(),
    }


path = Path(__file__).with_name("eval.json")
path.write_text(json.dumps([measure(*problem) for problem in problems()]) + "\n")
