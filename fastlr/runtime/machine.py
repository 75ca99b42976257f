"""What the processor is: its caches, and the registers of the code that Numba makes for it.

Read from the system, never measured: what a pass computes must not depend on how busy the machine was. Sizes that
alter sums depend on the shape of X alone; sizes of caches decide only what cannot be seen in a result, and registers
how a loop is cut (of all that there are, only plain SSE2 adds in another order).
"""

import platform
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

# Number and bytes. Of other processors than these, little is assumed.
_REGISTERS = {"AVX-512": (32, 64), "AVX2": (16, 32), "AVX": (16, 32), "SSE2": (16, 16), "NEON": (32, 16)}

# Where the system does not tell: the smallest that is common.
_SMALLEST = {1: 32 << 10, 2: 512 << 10}


@cache
def cache_sizes():
    """Bytes of the data caches that one core reads through, by level from 1.

    Returns
    -------
    dict of int to int
        Levels 1 and 2 at least.
    """
    return {**_SMALLEST, **(_sysctl_caches() if sys.platform == "darwin" else _sysfs_caches(_CACHES))}


def _sysfs_caches(folder):
    sizes = {}
    for index in folder.glob("index*"):
        try:
            kind, level, size = ((index / name).read_text().strip() for name in ("type", "level", "size"))
            number, unit = re.fullmatch(r"(\d+)([KMG]?)", size).groups()
            if kind in ("Data", "Unified") and int(number):
                sizes[int(level)] = int(number) * _UNITS[unit]
        except (OSError, ValueError, AttributeError):  # one that is not described says nothing
            continue
    return sizes


def _sysctl_caches():
    """Of a Mac: of the kind of core with the smaller ones, for a thread may run on either."""
    sizes = {}
    for level, name in ((1, "l1dcachesize"), (2, "l2cachesize")):
        known = [_sysctl(f"hw.{prefix}{name}") for prefix in ("perflevel0.", "perflevel1.", "")]
        if any(known):
            sizes[level] = min(size for size in known if size)
    return sizes


def _sysctl(name):
    try:
        answer = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return int(answer) if answer.strip().isdigit() else 0


def last_cache():
    """Bytes of the largest cache: X that is not much smaller comes from main memory in every pass."""
    return max(cache_sizes().values())


@cache
def target_features():
    """Names of the processor features that Numba compiles for, as LLVM has them: the host's, or those asked for.

    Returns
    -------
    frozenset of str
    """
    import llvmlite.binding as llvm
    from numba import config

    if config.CPU_FEATURES is not None:
        return frozenset(name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+"))
    names = {name for name, there in llvm.get_host_cpu_features().items() if there}
    return frozenset(names if config.ENABLE_AVX else {name for name in names if not name.startswith("avx")})


def vector_registers():
    """Number and bytes of the vector registers that Numba compiles for.

    Returns
    -------
    tuple of int
    """
    return _REGISTERS[instruction_set()]


def instruction_set():
    """Name of the vector instructions that Numba compiles for."""
    if platform.machine().lower() in ("aarch64", "arm64"):
        return "NEON"
    features = target_features()
    for feature, name in (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX")):
        if feature in features:
            return name
    return "SSE2"


def processor():
    """Name of the processor, for people to read."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return found.group(1)
    return platform.processor() or platform.machine()
