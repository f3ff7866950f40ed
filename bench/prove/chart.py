"""The result of a proof as a picture: accuracy by dims, a panel for each measure."""

import textwrap
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from table import TITLES

LOOKS = {
    "prefix": {"color": "#d62728", "linewidth": 2.5, "marker": "o"},
    "PCA of the same features": {"color": "#1f77b4", "marker": "s"},
    "uncentred PCA of the same features": {"color": "#1f77b4", "linestyle": "--", "marker": "s"},
    "PCA without nesting": {"color": "#2ca02c", "marker": "^"},
    "uncentred PCA without nesting": {"color": "#2ca02c", "linestyle": "--", "marker": "^"},
    "an encoder of each width": {"color": "#9467bd", "marker": "D"},
    "random projection of the same features": {"color": "#7f7f7f", "marker": "."},
}


def draw(path, about, dims, result):
    figure, panels = pyplot.subplots(1, len(result), figsize=(6.0 * len(result), 4.8), squeeze=False, layout="constrained")
    for panel, (measure, of_measure) in zip(panels[0], result.items()):
        for name, values in reversed(of_measure["accuracy"].items()):
            label = "prefix (unfolded)" if name == "prefix" else name
            panel.plot(dims, values, label=label, markersize=5, **LOOKS[name])
        panel.set_xscale("log", base=2)
        panel.set_xticks(dims, map(str, dims))
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.set(title=TITLES[measure], xlabel="dims (log scale)", ylabel="accuracy, %")
    handles, labels = panels[0][0].get_legend_handles_labels()
    panels[0][0].legend(handles[::-1], labels[::-1], fontsize=8, loc="lower right")
    options = " ".join([Path(about["recipe"]).name, *about["options"]])
    title = f"{about['dataset']}, {about['judged']}, mean of {len(about['seeds'])} seeds: {options}"
    figure.suptitle(textwrap.fill(title, 75 * len(result)), fontsize=10)
    figure.savefig(path, dpi=110)
