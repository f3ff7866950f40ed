"""What a benchmark ran on, in a line."""

import os
import platform
from pathlib import Path


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    value = lambda key: next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")
    name, family, model = (value(key) for key in ("model name", "cpu family", "model\t"))
    flags = value("flags").split()
    vectors = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    bf16 = " with bf16" if "avx512_bf16" in flags else ""
    kind = f", family {family} model {model}" if family else ""
    return f"{name or platform.processor()}{kind}, {os.cpu_count()} cores, {vectors}{bf16}"
