"""The encoders of one seed, trained and judged."""

import numpy
from options import OF_NESTING, without


def encoders(runs, args, seed):
    """The dims, and what is right by encoder."""
    recipe = ["--preset", args.recipe, "--seed", str(seed)]
    fixed = [*recipe, *without(args.options, OF_NESTING), "--head", "fixed"]
    dims = runs.trained_dims(f"nested-{seed}", [*recipe, *args.options])
    runs.trained_dims(f"fixed-{seed}", fixed)
    right = {encoder: runs.right(f"{encoder}-{seed}", dims) for encoder in ("nested", "fixed")}
    if args.fixed_widths:
        right["widths"] = of_each_width(runs, without(fixed, ["--embedding-dim"]), dims, seed, right["fixed"])
    return dims, right


def of_each_width(runs, fixed, dims, seed, widest):
    """What encoders of each width get right at their own dim. The one of the full width is the encoder without nesting, which is trained already."""
    found = []
    for dim in dims[:-1]:
        name = f"width-{dim}-{seed}"
        runs.trained_dims(name, [*fixed, "--embedding-dim", dim])
        found.append(runs.right(name, [dim]))
    last = {key: rows[-1:] for key, rows in widest.items()}
    return {key: numpy.concatenate([of_width[key] for of_width in [*found, last]]) for key in last}
