"""Recipes at the same cost, judged at every length: which helps?

Run by `cargo xtask bench recipes --data-dir DIR [RECIPE.toml …]`, where DIR holds cifar-10-batches-bin. A recipe is a preset of
`mrl train`; one in bench/recipes/changes is what differs from base.toml there, one in together what differs from whole-growing.toml.
Each trains on the first --per-class images of each class; as many behind them, or those there are, which nothing is trained on, choose. The test images are
looked at with --test alone. Writes a folder for each recipe, and table.md of all that --out holds.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from safetensors import safe_open

sys.path.append(str(Path(__file__).parent.parent))
from machine import machine
from rows import of_each_class, part

HERE = Path(__file__).parent
REFERENCE = HERE.parent.parent / "presets/reference.toml"
# What the recipes of a folder change.
BASES = {HERE / "changes": HERE / "base.toml", HERE / "together": HERE / "whole-growing.toml"}
# Training images of each class that there are.
OF_A_CLASS = 5000
# Passes of a view through an encoder that an image costs: two views forward and, twice as much, backward; two more forward by a target
# that is learnt from.
WITH_TARGET, ALONE = 8, 6
LEARN_FROM_TARGET = {"relic", "byol"}
# The budget in images of the reference's recipe: its 196 steps of 256.
IMAGES = 196 * 256
MEASURES = {"probe": "logreg", "1-NN": "knn1"}
METHODS = ["prefix", "pca"]
NETWORKS = ["target", "online"]
HELD_OUT, TEST = "held out", "test"
# Settings of a run that are not of its recipe.
OF_THE_MACHINE = {"data.data_dir", "run.device", "run.precision", "run.max_steps"}


def mrl(args, *words):
    words = [str(word) for word in (args.mrl, *words)]
    print("$", *words, file=sys.stderr)
    failed = subprocess.run(words, check=False, stdout=subprocess.DEVNULL).returncode
    if failed:
        sys.exit(failed)


def lengths(width):
    """The powers of two from 8."""
    return [8 << doubled for doubled in range((width // 8).bit_length())]


def preset(args, recipe, scratch):
    """The recipe as a whole. An objective is not changed but replaced, for the settings of another are not its own."""
    if recipe.resolve().parent not in BASES and recipe.resolve() not in BASES.values():
        return recipe
    base, changes = (tomllib.loads(path.read_text()) for path in (BASES.get(recipe.resolve().parent, recipe), recipe))
    extends = base.pop("extends")
    changes.pop("extends", None)
    whole = {name: changes[name] if name == "objective" and name in changes else base.get(name, {}) | changes.get(name, {})
             for name in base | changes}
    # The width of the encoder, as it was when the recipes were compared.
    features = int(512 * (args.width or 1))
    whole.setdefault("model", {}).setdefault("head_hidden", features)
    if "dim_weights" in whole["objective"]:
        # A narrow encoder has fewer lengths.
        whole["objective"]["dim_weights"] = whole["objective"]["dim_weights"][:len(lengths(features))]
    lines = [f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items()) for name, table in whole.items()]
    out = scratch / "recipe.toml"
    out.write_text(f"extends = {json.dumps(extends)}\n" + "\n".join(lines))
    return out


def train(args, recipe, run, *more):
    """Goes on where it was interrupted, if it was."""
    data = ["--dataset", "cifar10", "--data-dir", args.data_dir, "--subset-per-class", args.per_class]
    width = ["--width", args.width] if args.width else []
    mrl(args, "train", "--preset", recipe, *data, *width, "--seed", args.seed, "--resume", "--out", run, *more)
    return tomllib.loads((run / "config.toml").read_text())


def steps(config, images):
    """Steps that cost what the reference's recipe spends on so many images, by the passes that are made and the pixels of a view."""
    run = config["run"]
    scales = run.get("view_scales", [1])
    area = sum(scale**2 for scale in scales) / len(scales)
    passes = WITH_TARGET if config["objective"]["name"] in LEARN_FROM_TARGET else ALONE
    cost = area * passes / WITH_TARGET
    return round(images / (cost * run["batch_size"] * run["grad_accum"]))


def judge(args, run, network, scratch):
    """Accuracies on the images that choose, and with --test on the test images."""
    embed = lambda split, *more: mrl(args, "embed", "--run", run, "--network", network, "--split", split, "--data-dir", args.data_dir, *more,
                                     "--out", scratch / f"{split}.safetensors")
    end = min(2 * args.per_class, OF_A_CLASS)
    embed("train", "--subset-per-class", end)
    both = scratch / "train.safetensors"
    trained, sets = part(both, of_each_class(both, 0, args.per_class), scratch / "trained.safetensors"), {}
    if end > args.per_class:
        sets[HELD_OUT] = part(both, of_each_class(both, args.per_class, end), scratch / "held-out.safetensors")
    if args.test:
        embed("test")
        sets[TEST] = scratch / "test.safetensors"
    return {name: evaluate(args, trained, images, scratch) for name, images in sets.items()}


def evaluate(args, trained, judged, scratch):
    """At all lengths, those too that a recipe has not trained."""
    with safe_open(trained, "numpy") as file:
        width = file.get_slice("embeddings").get_shape()[1]
    mrl(args, "eval", "--train", trained, "--test", judged, "--dims", ",".join(map(str, lengths(width))), "--methods", ",".join(METHODS),
        "--measures", "probe,knn1", "--l2", 1, "--resamples", 0, "--out", scratch / "report")
    report = json.loads((scratch / "report/report.json").read_text())
    of_method = lambda method: {measure: report["methods"][method][key] for measure, key in MEASURES.items()}
    return {"dims": report["dims"], **{method: of_method(method) for method in METHODS}}


def folders(args, recipe):
    """Where the result of a recipe lies, and what it is made in."""
    name = recipe.stem if args.seed == 0 else f"{recipe.stem}-seed{args.seed}"
    folder, scratch = args.out / name, args.out / "runs" / name
    scratch.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    return folder, scratch


def settings(config, of=""):
    """Every value of a configuration under its dotted name."""
    found = {}
    for key, value in config.items():
        found |= settings(value, f"{of}{key}.") if isinstance(value, dict) else {f"{of}{key}": value}
    return found


def begin(args, recipe):
    """The steps that the recipe makes. What is wrong with it, or with a result that it has, is found before hours are spent."""
    folder, scratch = folders(args, recipe)
    shutil.rmtree(scratch / "begun", ignore_errors=True)
    config = train(args, preset(args, recipe, scratch), scratch / "begun", "--max-steps", 0)
    path = folder / "config.toml"
    if path.exists():
        stored, now = settings(tomllib.loads(path.read_text())), settings(config)
        # Before it was stored, a recipe that did not set it had as many hidden units as the encoder has numbers.
        stored.setdefault("model.head_hidden", int(512 * (args.width or 1)))
        # Any other setting that one of them lacks is newer or older than the other.
        changed = [name for name in stored.keys() & now.keys() - OF_THE_MACHINE if stored[name] != now[name]]
        if changed:
            sys.exit(f"{folder} has another {changed[0]}: {stored[changed[0]]}, now {now[changed[0]]}; delete it, or give another --out")
    return steps(config, args.images)


def run_recipe(args, recipe, number):
    folder, scratch = folders(args, recipe)
    path, run, whole = folder / "result.json", scratch / "run", preset(args, recipe, scratch)
    result = json.loads(path.read_text()) if path.exists() else {}
    if not result:
        start = time.perf_counter()
        device = train(args, whole, run, "--max-steps", number)["run"]["device"]
        result = {"machine": machine(device), "date": time.strftime("%Y-%m-%d"), "images": args.images, "width": args.width, "per_class": args.per_class,
                  "steps": number, "seconds": time.perf_counter() - start}
        (folder / "metrics.jsonl").write_text((run / "metrics.jsonl").read_text())
        # Where the images lie is of one machine.
        config = (run / "config.toml").read_text().splitlines(keepends=True)
        (folder / "config.toml").write_text("".join(line for line in config if not line.startswith("data_dir")))
    wanted = TEST if args.test else HELD_OUT
    if any(wanted not in result.get(network, {}) for network in NETWORKS):
        result |= {network: judge(args, run, network, scratch) for network in NETWORKS}
        path.write_text(json.dumps(result, indent=1) + "\n")


def results(out):
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(out.glob("*/result.json"))}


def check(args, recipes):
    """One table is of one cost, one encoder, and recipes of different names."""
    wanted = {"images": args.images, "width": args.width, "per_class": args.per_class}
    for name, result in results(args.out).items():
        found = {key: result[key] for key in wanted}
        if found != wanted:
            sys.exit(f"{args.out / name} is of {found}, not of {wanted}; give another --out, or the same")
    names = [recipe.stem for recipe in recipes]
    if len(set(names)) < len(names):
        sys.exit("two recipes have the same name; rename one")


def mean(numbers):
    return sum(numbers) / len(numbers)


def table(out, judged):
    """All recipes, the best first: by the mean of probe and 1-NN over the lengths."""
    rows = []
    for name, result in results(out).items():
        for network in NETWORKS:
            found = result[network].get(judged)
            for method in METHODS if found else []:
                accuracies = [found[method][measure] for measure in MEASURES]
                rows.append((mean([mean(of_measure) for of_measure in accuracies]), name, network, method, result, accuracies, found["dims"]))
    if not rows:
        return ""
    rows.sort(key=lambda row: -row[0])
    dims = rows[0][-1]
    head = ["recipe", "network", "method", "steps", "minutes", "mean", *(f"{measure} {dim}" for measure in MEASURES for dim in dims)]
    lines = [f"## {judged.capitalize()} images, %", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for score, name, network, method, result, accuracies, _ in rows:
        numbers = [f"{100 * value:.1f}" for value in [score, *accuracies[0], *accuracies[1]]]
        lines.append("| " + " | ".join([name, network, method, str(result["steps"]), f"{result['seconds'] / 60:.0f}", *numbers]) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", type=Path, help="presets; without any, reference and those of bench/recipes")
    parser.add_argument("--mrl", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--images", type=int, default=IMAGES, help="the cost: that of the reference's recipe for so many images")
    parser.add_argument("--width", type=float, help="a narrower encoder: cheaper, and not the one that results are about")
    parser.add_argument("--per-class", type=int, default=1000, help="images of each class to train on; of all 5,000 none are left to choose by")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test", action="store_true", help="judge by the test images too: only what is already chosen")
    parser.add_argument("--out", type=Path, default=Path("bench-recipes"))
    args = parser.parse_args()
    if not 1 <= args.per_class <= OF_A_CLASS:
        parser.error(f"--per-class {args.per_class} must be between 1 and {OF_A_CLASS}")
    if args.per_class == OF_A_CLASS and not args.test:
        parser.error("all images are trained on, so that none are left to choose by; give --test, or a smaller --per-class")
    recipes = args.recipes or [REFERENCE, *BASES.values(), *sorted(HERE.glob("*/*.toml"))]
    check(args, recipes)
    numbers = [begin(args, recipe) for recipe in recipes]
    for recipe, number in zip(recipes, numbers):
        run_recipe(args, recipe, number)
        text = "\n".join(filter(None, (table(args.out, judged) for judged in (HELD_OUT, TEST))))
        (args.out / "table.md").write_text(text)
    print(text)


main()
