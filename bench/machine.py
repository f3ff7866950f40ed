"""What a benchmark ran on, in a line, and what it can."""

import os
import platform
import subprocess
from pathlib import Path


def cpuinfo(key):
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")


def has_bf16():
    """Whether products of bf16 are faster than those of f32, as `mrl` decides it."""
    return "avx512_bf16" in cpuinfo("flags").split()


def gpu(device):
    """The name of NVIDIA's GPU `cuda:N`."""
    words = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader", "--id", device.partition(":")[2]]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def machine(device="cpu"):
    name, family, model = (cpuinfo(key) for key in ("model name", "cpu family", "model\t"))
    flags = cpuinfo("flags").split()
    vectors = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    bf16 = " with bf16" if has_bf16() else ""
    kind = f", family {family} model {model}" if family else ""
    beside = f"{gpu(device)}; " if device.startswith("cuda") else ""
    return f"{beside}{name or platform.processor()}{kind}, {os.cpu_count()} cores, {vectors}{bf16}"
