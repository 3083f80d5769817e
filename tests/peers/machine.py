"""The machine that the times are of: its cores, what it is, and how much of it others took."""

import os
import pathlib
import platform
import sys

CPUINFO = pathlib.Path("/proc/cpuinfo")
# A round in which the hypervisor gave a larger share of the machine to others does not count.
MAX_STEAL = 0.005


def pin(n_cores):
    """Confines this process and its children to as many cores, one thread of each; says which."""
    of_core = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        of_core.setdefault(siblings.read_text() if siblings.exists() else cpu, cpu)
    cpus = sorted(of_core.values())[:n_cores]
    if len(cpus) < n_cores:
        raise SystemExit(f"error: --threads {n_cores}: this machine has {len(cpus)} cores")
    os.sched_setaffinity(0, cpus)
    return cpus


def cpuinfo(key):
    """The first line of /proc/cpuinfo with that key, or nothing."""
    lines = (line.partition(":") for line in CPUINFO.read_text().splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")


def has(flag):
    """Whether the CPU says that it has `flag`, as in "amx_bf16"."""
    return flag in cpuinfo("flags").split()


def describe():
    """The model of CPU, as lscpu prints it, the vectors it has, and the system."""
    vectors = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if has(flag)]
    return f"{cpuinfo('model name') or platform.machine()} ({', '.join(vectors)}), Linux {platform.release()}"


class Steal:
    """The share of time, 0 to 1, that the hypervisor gave to others since this was made."""

    def __init__(self):
        self.start = self.ticks()

    @staticmethod
    def ticks():
        """(stolen, all), summed over the CPUs."""
        with open("/proc/stat") as stat:
            # user nice system idle iowait irq softirq steal; the two that follow are counted in user.
            counts = [int(count) for count in stat.readline().split()[1:9]]
        return counts[7], sum(counts)

    def share(self):
        (stolen, total), (stolen_before, total_before) = self.ticks(), self.start
        return (stolen - stolen_before) / max(1, total - total_before)


def rounds(n, one_round):
    """(what `n` calls of `one_round` gave, how many more were dropped for steal); gives up after `n` of those."""
    kept, n_dropped = [], 0
    while len(kept) < n and n_dropped < n:
        steal = Steal()
        result = one_round()
        share = steal.share()
        if share > MAX_STEAL:
            n_dropped += 1
        else:
            kept.append(result)
        print(f"round {len(kept) + n_dropped}: steal {share:.2%}", file=sys.stderr, flush=True)
    if not kept:
        raise SystemExit(f"error: steal was above {MAX_STEAL:.1%} in all of {n_dropped} rounds: try a quieter machine")
    return kept, n_dropped
