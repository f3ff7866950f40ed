"""Trains, embeds and evaluates one encoder by `mrl`, and goes on where an earlier call was interrupted."""

import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from rows import of_each_class, part
from safetensors.numpy import load_file

METHODS = ["prefix", "pca", "pca-uncentred", "random-projection"]
# Penalty of the probe: the same everywhere, so that none is chosen by luck.
L2 = "1"


@dataclass(frozen=True)
class Images:
    """What is trained on, and what is judged."""

    dataset: str
    folder: Path
    # Images of each class to train on; all of the training split if it is None.
    per_class: int | None
    # Whether the test split is judged, or as many images of each class after those that are trained on.
    test: bool

    def words(self):
        return ["--dataset", self.dataset, "--data-dir", self.folder]

    def subset(self):
        """The options that choose the images to train on."""
        return ["--subset-per-class", self.per_class] if self.per_class else []


class Runs:
    def __init__(self, mrl, images, out, measures):
        self.mrl_program, self.images, self.out, self.measures = mrl, images, out, measures

    def mrl(self, *words):
        words = [str(word) for word in (self.mrl_program, *words)]
        print("$", *words, file=sys.stderr, flush=True)
        code = subprocess.run(words, check=False, stdout=subprocess.DEVNULL).returncode
        if code:
            sys.exit(f"`{' '.join(words)}` failed ({code}); its message is above")

    def trained_dims(self, name, recipe):
        """Trains, if that is not done yet; the dims that were trained."""
        run = self.out / "runs" / name / "run"
        self.mrl("train", *self.images.words(), *self.images.subset(), *recipe, "--fold", "none", "--resume", "--out", run)
        return tomllib.loads((run / "config.toml").read_text())["model"]["nesting"]

    def right(self, name, dims):
        """Which of the judged images a trained encoder classifies correctly: by `METHOD.MEASURE`, bool `[dims, images]`."""
        folder = self.out / "runs" / name
        judged = "test" if self.images.test else "held-out"
        outcomes, encoder = folder / judged / "outcomes.safetensors", folder / "run/encoder.safetensors"
        # Outcomes that are older than the encoder are of another one.
        if not outcomes.exists() or outcomes.stat().st_mtime < encoder.stat().st_mtime or not self.has_measures(outcomes):
            self.evaluate(folder, judged, dims)
        found = load_file(outcomes)
        if found.pop("dims").tolist() != dims:
            sys.exit(f"{outcomes.parent} was measured at other dims; remove it and run this again")
        return {key: rows.astype(bool) for key, rows in found.items()}

    def has_measures(self, outcomes):
        found = load_file(outcomes)
        return all(f"prefix.{measure}" in found for measure in self.measures)

    def penalty(self):
        return ["--l2", L2] if "probe" in self.measures else []

    def evaluate(self, folder, judged, dims):
        scratch = folder / "embeddings"
        scratch.mkdir(exist_ok=True)
        train, rows = self.embeddings(folder / "run", scratch)
        self.mrl("eval", "--train", train, "--test", rows, "--dims", ",".join(map(str, dims)), "--methods", ",".join(METHODS), "--measures",
                 ",".join(self.measures), *self.penalty(), "--resamples", 0, "--outcomes", "--out", folder / judged)
        shutil.rmtree(scratch)

    def embeddings(self, run, scratch):
        """The files of the images that are trained on and of those that are judged."""
        def embed(split, *more):
            path = scratch / f"{split}.safetensors"
            self.mrl("embed", "--run", run, *self.images.words(), "--split", split, *more, "--out", path)
            return path

        if self.images.test:
            return embed("train", *self.images.subset()), embed("test")
        per_class = self.images.per_class
        both = embed("train", "--subset-per-class", 2 * per_class)
        return tuple(part(both, of_each_class(both, start, start + per_class), scratch / f"{start}.safetensors") for start in (0, per_class))
