"""Does nesting pay? Trains the nested encoder of a recipe and the same recipe without nesting, and compares short embeddings of both.

Run by `cargo xtask prove`. At each dim the prefix of the nested encoder, without a folded rotation, is compared with what a user could have
instead: principal components of the same features, and of the encoder that was trained without nesting in as many steps; with --fixed-widths
also an encoder for each dim, whose embedding has no more numbers. Compared are the
images that were classified correctly, row by row, over all seeds. Writes result.json, table.md and chart.png, and keeps the runs in runs/.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))
from chart import draw
from comparison import compare, missed
from encoders import encoders
from machine import machine
from runs import Images, Runs
from table import TITLES, table

# Prefixes that must win, unless --goal-dims says otherwise: up to a quarter of the numbers.
SHORT = 4


def measures(text):
    names = text.split(",")
    if not set(names) <= set(TITLES):
        raise argparse.ArgumentTypeError(f"{text}: give some of {', '.join(TITLES)}")
    return names


def parse():
    parser = argparse.ArgumentParser(prog="cargo xtask prove", description=__doc__.splitlines()[0],
                                     epilog="Options after -- go to both trainings, e.g. -- --width 0.25 --epochs 12; those of nesting, such as --nest-after, to the nested one alone.")
    parser.add_argument("recipe", nargs="?", default="default", help="a preset of mrl train, or its file [default: default]")
    parser.add_argument("--mrl", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--dataset", default="cifar10", help="as for mrl train [default: cifar10]")
    parser.add_argument("--data-dir", type=Path, required=True, help="the folder of the images")
    parser.add_argument("--seeds", default="0,1,2", type=lambda text: [int(seed) for seed in text.split(",")], help="[default: 0,1,2]")
    parser.add_argument("--per-class", type=int, help="train on the first N images of each class, and judge by the next N")
    parser.add_argument("--test", action="store_true", help="judge by the test images instead: only what is already chosen")
    parser.add_argument("--fixed-widths", action="store_true", help="also train an encoder without nesting for each dim, with a linear layer to as many numbers")
    parser.add_argument("--goal-dims", type=lambda text: [int(dim) for dim in text.split(",")], help="where the prefix must win [default: up to a quarter of the dims]")
    parser.add_argument("--measures", default=["probe", "knn1"], type=measures, help="[default: probe,knn1; with hundreds of classes the probe takes long]")
    parser.add_argument("--out", type=Path, default=Path("runs/prove"), help="[default: runs/prove]")
    words = sys.argv[1:]
    own, options = (words[:words.index("--")], words[words.index("--") + 1:]) if "--" in words else (words, [])
    args = parser.parse_args(own)
    if not args.test and not args.per_class:
        parser.error("without --per-class all images are trained on, so that none are left to judge by; give --per-class N, or --test")
    return argparse.Namespace(**vars(args), options=options)


def main():
    args = parse()
    runs = Runs(args.mrl, Images(args.dataset, args.data_dir, args.per_class, args.test), args.out, args.measures)
    args.out.mkdir(parents=True, exist_ok=True)
    found = [encoders(runs, args, seed) for seed in args.seeds]
    dims = found[0][0]
    goal_dims = args.goal_dims or [dim for dim in dims if dim * SHORT <= dims[-1]]
    if not goal_dims or not set(goal_dims) <= set(dims):
        sys.exit(f"--goal-dims {','.join(map(str, goal_dims)) or 'of none'} cannot be judged: trained are {', '.join(map(str, dims))}; give some of these")
    result = compare(dims, [right for _, right in found], args.measures)
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
