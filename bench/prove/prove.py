"""Does nesting pay? Trains the nested encoder of a recipe and the same recipe without nesting, and compares short embeddings of both.

Run by `cargo xtask prove`. At each dim the prefix of the nested encoder, without a folded rotation, is compared with what a user could have
instead: principal components of the same features, and of the encoder that was trained without nesting in as many steps. Compared are the
images that were classified correctly, row by row, over all seeds. Writes result.json, table.md and chart.png, and keeps the runs in runs/.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy

sys.path.append(str(Path(__file__).parent.parent))
from chart import draw
from machine import machine
from paired import difference
from runs import MEASURES, Images, Runs
from table import table

# What the prefix is compared with: which encoder, and how its features are shortened.
RIVALS = {
    "PCA of the same features": ("nested", "pca"),
    "uncentred PCA of the same features": ("nested", "pca-uncentred"),
    "PCA without nesting": ("fixed", "pca"),
    "uncentred PCA without nesting": ("fixed", "pca-uncentred"),
    "random projection of the same features": ("nested", "random-projection"),
}
PREFIX = ("nested", "prefix")
# Percent of the images that all dims of the nested encoder may lose against the one without nesting.
MOST_LOST = 0.5
# Prefixes that must win, unless --goal-dims says otherwise: up to a quarter of the numbers.
SHORT = 4


def encoders(runs, args, seed):
    """The dims, and what is right by encoder."""
    recipe = ["--preset", args.recipe, "--seed", seed, *args.options]
    dims = runs.trained_dims(f"nested-{seed}", recipe)
    runs.trained_dims(f"fixed-{seed}", [*recipe, "--head", "fixed"])
    return dims, {encoder: runs.right(f"{encoder}-{seed}", dims) for encoder in ("nested", "fixed")}


def compare(dims, right):
    """Accuracies in percent and differences of the prefix, by measure. `right` has what is right by encoder, for each seed."""
    def rows(encoder, method, measure, place):
        return numpy.stack([of_seed[encoder][f"{method}.{measure}"][place] for of_seed in right])

    def percent(encoder, method, measure, place):
        return 100.0 * float(rows(encoder, method, measure, place).mean())

    result = {}
    for measure in MEASURES:
        prefix = [rows(*PREFIX, measure, place) for place in range(len(dims))]
        accuracy = {"prefix": [percent(*PREFIX, measure, place) for place in range(len(dims))]}
        against = {}
        for name, (encoder, method) in RIVALS.items():
            accuracy[name] = [percent(encoder, method, measure, place) for place in range(len(dims))]
            against[name] = [asdict(difference(prefix[place], rows(encoder, method, measure, place))) for place in range(len(dims))]
        whole = rows("fixed", "prefix", measure, len(dims) - 1)
        result[measure] = {"accuracy": accuracy, "prefix minus": against, "all dims without nesting": 100.0 * float(whole.mean()),
                           "all dims minus without nesting": asdict(difference(prefix[-1], whole))}
    return result


def missed(result, dims, goal_dims):
    """The goals that the lower ends of the intervals do not reach, as sentences."""
    found = []
    for measure, of_measure in result.items():
        for name, differences in of_measure["prefix minus"].items():
            lost = [dim for dim, difference in zip(dims, differences) if dim in goal_dims and difference["low"] <= 0]
            if lost:
                found.append(f"{measure}: the prefix is not surely better than {name} at {', '.join(map(str, lost))} dims")
        low = of_measure["all dims minus without nesting"]["low"]
        if low < -MOST_LOST:
            found.append(f"{measure}: all {dims[-1]} dims may lose {-low:.1f} points to the encoder without nesting; {MOST_LOST} are allowed")
    return found


def parse():
    parser = argparse.ArgumentParser(prog="cargo xtask prove", description=__doc__.splitlines()[0],
                                     epilog="Options after -- go to both trainings, e.g. -- --width 0.25 --epochs 12")
    parser.add_argument("recipe", nargs="?", default="default", help="a preset of mrl train, or its file [default: default]")
    parser.add_argument("--mrl", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--dataset", default="cifar10", help="as for mrl train [default: cifar10]")
    parser.add_argument("--data-dir", type=Path, required=True, help="the folder of the images")
    parser.add_argument("--seeds", default="0,1,2", type=lambda text: [int(seed) for seed in text.split(",")], help="[default: 0,1,2]")
    parser.add_argument("--per-class", type=int, help="train on so many images of each class, and judge by as many others, that nothing is trained on")
    parser.add_argument("--test", action="store_true", help="judge by the test images instead: only what is already chosen")
    parser.add_argument("--goal-dims", type=lambda text: [int(dim) for dim in text.split(",")], help="where the prefix must win [default: up to a quarter of the dims]")
    parser.add_argument("--out", type=Path, default=Path("runs/prove"), help="[default: runs/prove]")
    words = sys.argv[1:]
    own, options = (words[:words.index("--")], words[words.index("--") + 1:]) if "--" in words else (words, [])
    args = parser.parse_args(own)
    if not args.test and not args.per_class:
        parser.error("without --per-class all images are trained on, so that none are left to judge by; give --per-class N, or --test")
    return argparse.Namespace(**vars(args), options=options)


def main():
    args = parse()
    runs = Runs(args.mrl, Images(args.dataset, args.data_dir, args.per_class, args.test), args.out)
    args.out.mkdir(parents=True, exist_ok=True)
    found = [encoders(runs, args, seed) for seed in args.seeds]
    dims = found[0][0]
    result = compare(dims, [right for _, right in found])
    goal_dims = args.goal_dims or [dim for dim in dims if dim * SHORT <= dims[-1]]
    about = {"recipe": args.recipe, "options": args.options, "dataset": args.dataset, "per_class": args.per_class,
             "judged": "test images" if args.test else "held-out images", "seeds": args.seeds, "date": time.strftime("%Y-%m-%d"),
             "machine": machine()}
    goals_missed = missed(result, dims, goal_dims)
    (args.out / "result.json").write_text(json.dumps({**about, "dims": dims, "goal_dims": goal_dims, "goals_missed": goals_missed, **result}, indent=1) + "\n")
    text = table(about, dims, result, goal_dims, goals_missed)
    (args.out / "table.md").write_text(text)
    draw(args.out / "chart.png", about, dims, result)
    print(text)
    return 1 if goals_missed else 0


if __name__ == "__main__":
    sys.exit(main())
