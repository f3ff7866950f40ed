"""The result of a proof as Markdown."""

TITLES = {"probe": "Linear probe", "knn1": "1-NN"}


def table(about, dims, result, goal_dims, goals_missed):
    options = f" with `{' '.join(about['options'])}`" if about["options"] else ""
    images = f"{about['per_class']} images of each class" if about["per_class"] else "all training images"
    seeds = ", ".join(map(str, about["seeds"]))
    lines = [f"Recipe `{about['recipe']}`{options}; {about['dataset']}, {images}; judged by {about['judged']}; seeds {seeds}; {about['date']}; {about['machine']}."]
    for measure, of_measure in result.items():
        lines += ["", f"## {TITLES[measure]}", "", row("accuracy, %", dims), "|" + "---|" * (len(dims) + 1)]
        lines += [row(name, [f"{value:.1f}" for value in values]) for name, values in of_measure["accuracy"].items()]
        lines += [row("all dims without nesting", [""] * (len(dims) - 1) + [f"{of_measure['all dims without nesting']:.1f}"])]
        lines += ["", "Points that the prefix is better, and the interval that holds 95 % of the paired bootstrap:", "", row("better than", dims), "|" + "---|" * (len(dims) + 1)]
        lines += [row(name, [cell(difference) for difference in differences]) for name, differences in of_measure["prefix minus"].items()]
        lines += [row("all dims without nesting", [""] * (len(dims) - 1) + [cell(of_measure["all dims minus without nesting"])])]
    goals = f"the prefix is better than each of these at {', '.join(map(str, goal_dims))} dims, and all dims lose half a point at most"
    verdict = [f"**Nesting pays**: {goals}."] if not goals_missed else [f"**Not shown that nesting pays**, which would be that {goals}:", "", *(f"- {goal}" for goal in goals_missed)]
    return "\n".join([*lines, "", *verdict]) + "\n"


def row(name, cells):
    return "| " + " | ".join([name, *map(str, cells)]) + " |"


def cell(difference):
    return f"{difference['mean']:+.1f} ({difference['low']:+.1f} to {difference['high']:+.1f})"
