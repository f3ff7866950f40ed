"""Options of `mrl train` on a command line."""

# Options of `mrl train` that only a nested encoder has.
OF_NESTING = ["--head", "--nesting", "--dim-weights", "--nest-after", "--rotate-after"]


def without(options, names):
    """The options but for these, which have a value after them or after `=`."""
    kept = []
    place = 0
    while place < len(options):
        name, equals, _ = options[place].partition("=")
        if name in names:
            place += 1 if equals else 2
        else:
            kept.append(options[place])
            place += 1
    return kept
