"""Recipes at the same cost, judged at every length: which helps?

Run by `cargo xtask bench recipes --data-dir DIR [RECIPE.toml …]`, where DIR holds cifar-10-batches-bin. A recipe is a preset of
`mrl train`. Each trains on the first 1,000 images of each class; the next 1,000 of each, which nothing is trained on, choose. The
test images are looked at with --test alone. Writes a folder for each recipe, and table.md of all that --out holds.
"""

import argparse
import json
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from safetensors import safe_open
from safetensors.numpy import save_file

sys.path.append(str(Path(__file__).parent.parent))
from machine import machine

HERE = Path(__file__).parent
PER_CLASS, CLASSES = 1000, 10
# Passes of a view through an encoder that an image costs: two views forward and, twice as much, backward; two more forward by a target
# that is learnt from.
WITH_TARGET, ALONE = 8, 6
LEARN_FROM_TARGET = {"relic", "byol"}
# The budget in images of the reference's recipe: its 196 steps of 256.
IMAGES = 196 * 256
MEASURES = {"probe": "logreg", "1-NN": "knn1"}
NETWORKS = ["target", "online"]


def mrl(args, *words):
    words = [str(word) for word in (args.mrl, *words)]
    print("$", *words, file=sys.stderr)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def train(args, recipe, run, *more):
    data = ["--dataset", "cifar10", "--data-dir", args.data_dir, "--subset-per-class", PER_CLASS]
    mrl(args, "train", "--preset", recipe, *data, "--out", run, "--seed", args.seed, *(["--width", args.width] if args.width else []), *more)
    return tomllib.loads((run / "config.toml").read_text())


def steps(config, images):
    """Steps that cost what the reference's recipe spends on so many images, by the passes that are made and the pixels of a view."""
    size, run = config["data"]["image_size"], config["run"]
    sides = run.get("view_sizes", [size])
    area = sum((side / size) ** 2 for side in sides) / len(sides)
    passes = WITH_TARGET if config["objective"]["name"] in LEARN_FROM_TARGET else ALONE
    cost = area * passes / WITH_TARGET
    return round(images / (cost * run["batch_size"] * run["grad_accum"]))


def part(path, rows, out):
    """Some of the rows of an embedding set."""
    with safe_open(path, "numpy") as file:
        tensors = {name: file.get_slice(name)[:][rows].copy() for name in file.keys()}
        save_file(tensors, out, file.metadata())
    return out


def of_each_class(path, start, end):
    """Places of the images start to end of each class."""
    with safe_open(path, "numpy") as file:
        labels = file.get_tensor("labels")
    seen = [0] * CLASSES
    places = []
    for place, label in enumerate(labels):
        if start <= seen[label] < end:
            places.append(place)
        seen[label] += 1
    return places


def judge(args, run, network, scratch):
    """Accuracies by measure on the images that choose, and with --test on the test images."""
    embed = lambda split, *more: mrl(args, "embed", "--run", run, "--network", network, "--split", split, "--data-dir", args.data_dir, *more,
                                     "--out", scratch / f"{split}.safetensors")
    embed("train", "--subset-per-class", 2 * PER_CLASS)
    both = scratch / "train.safetensors"
    trained = part(both, of_each_class(both, 0, PER_CLASS), scratch / "trained.safetensors")
    sets = {"held out": part(both, of_each_class(both, PER_CLASS, 2 * PER_CLASS), scratch / "held-out.safetensors")}
    if args.test:
        embed("test")
        sets["test"] = scratch / "test.safetensors"
    return {name: evaluate(args, trained, images, scratch) for name, images in sets.items()}


def evaluate(args, trained, judged, scratch):
    methods = ["prefix", "pca"] if args.pca else ["prefix"]
    mrl(args, "eval", "--train", trained, "--test", judged, "--methods", ",".join(methods), "--measures", "probe,knn1", "--l2", 1, "--resamples", 0,
        "--out", scratch / "report")
    report = json.loads((scratch / "report/report.json").read_text())
    accuracies = {f"{method} {measure}": report["methods"][method][key] for method in methods for measure, key in MEASURES.items()}
    return {"dims": report["dims"], **accuracies}


def run_recipe(args, recipe):
    name = recipe.stem if args.seed == 0 else f"{recipe.stem}-seed{args.seed}"
    folder, scratch = args.out / name, args.scratch / name
    if (folder / "result.json").exists():
        return
    scratch.mkdir(parents=True, exist_ok=True)
    number = steps(train(args, recipe, scratch / "begun", "--max-steps", 0), args.images)
    run = scratch / "run"
    start = time.perf_counter()
    train(args, recipe, run, "--max-steps", number, "--resume")
    seconds = time.perf_counter() - start
    result = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "steps": number, "seconds": seconds,
              **{network: judge(args, run, network, scratch) for network in NETWORKS}}
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("config.toml", "metrics.jsonl"):
        (folder / file).write_text((run / file).read_text())
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")


def mean(numbers):
    return sum(numbers) / len(numbers)


def table(out, judged, method="prefix"):
    """All recipes, the best first: by the mean of probe and 1-NN over the lengths, of the better network."""
    rows = []
    for path in out.glob("*/result.json"):
        result = json.loads(path.read_text())
        for network in NETWORKS:
            if judged in result[network]:
                found = result[network][judged]
                accuracies = [found[f"{method} {measure}"] for measure in MEASURES]
                rows.append((mean([mean(of_measure) for of_measure in accuracies]), path.parent.name, network, result, found["dims"], accuracies))
    if not rows:
        return ""
    rows.sort(key=lambda row: -row[0])
    dims = rows[0][4]
    head = ["recipe", "network", "steps", "minutes", "mean", *(f"{measure} {dim}" for measure in MEASURES for dim in dims)]
    lines = [f"## {judged.capitalize()} images, %", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for score, name, network, result, _, accuracies in rows:
        numbers = [f"{100 * score:.1f}", *(f"{100 * value:.1f}" for of_measure in accuracies for value in of_measure)]
        lines.append("| " + " | ".join([name, network, str(result["steps"]), f"{result['seconds'] / 60:.0f}", *numbers]) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", type=Path, help="presets; without any, those in bench/recipes")
    parser.add_argument("--mrl", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--images", type=int, default=IMAGES, help="the cost: that of the reference's recipe for so many images")
    parser.add_argument("--width", type=float, help="a narrower encoder: cheaper, and not the one that results are about")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test", action="store_true", help="judge by the test images too: only what is already chosen")
    parser.add_argument("--pca", action="store_true", help="beside principal components")
    parser.add_argument("--out", type=Path, default=Path("bench-recipes"))
    args = parser.parse_args()
    args.scratch = args.out / "runs"
    for recipe in args.recipes or sorted(HERE.glob("*.toml")):
        run_recipe(args, recipe)
    text = "\n".join(table(args.out, judged) for judged in ("held out", "test"))
    (args.out / "table.md").write_text(text)
    print(text)


main()
