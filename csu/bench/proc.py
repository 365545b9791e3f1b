"""What a process costs, from /proc (proc(5)): CPU of it and its children, and its share of memory."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_s: float
    pss_bytes: int


def usage(pids: list[int]) -> Usage:
    """Sum over the processes and all that descend from them; ended children that were waited for count as well."""
    family = sorted({p for pid in pids for p in descendants(pid)})
    return Usage(sum(cpu_s(pid) for pid in family), sum(pss_bytes(pid) for pid in family))


def cpu_s(pid: int) -> float:
    """User and system time, children that have ended and been waited for included; to a hundredth of a second."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended; what it used is in its parent's figures once it has been waited for
        return 0.0
    return sum(map(int, fields[11:15])) * _TICK_S


def pss_bytes(pid: int) -> int:
    """Proportional set size; 0 when the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def descendants(pid: int) -> list[int]:
    """The process and all its children, as they are now."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:  # the thread has ended
                continue
    return found


def machine() -> str:
    """Processor, cores and kernel, in a line."""
    model = next(
        (
            x.partition(":")[2].strip()
            for x in Path("/proc/cpuinfo").read_text().splitlines()
            if x.startswith("model name")
        ),
        os.uname().machine,
    )
    return f"{model}, {os.cpu_count()} cores, Linux {os.uname().release}, load {os.getloadavg()[0]:.2f}"


def busy_s() -> float:
    """Time that all processors together have spent on anything but waiting."""
    fields = list(map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:]))
    return (sum(fields[:8]) - fields[3] - fields[4]) * _TICK_S
