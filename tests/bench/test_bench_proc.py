"""Figures from /proc against what this process knows of itself."""

import os
import subprocess
import sys
import time

from csu.bench import proc


def test_cpu_grows_with_work_and_counts_ended_children() -> None:
    before = proc.cpu_s(os.getpid())
    subprocess.run([sys.executable, "-c", "sum(range(5_000_000))"], check=True)
    assert proc.cpu_s(os.getpid()) > before
    assert abs(proc.cpu_s(os.getpid()) - sum(os.times()[:4])) < 1


def test_family() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in proc.descendants(os.getpid())
        assert proc.usage([os.getpid()]).pss_bytes >= proc.pss_bytes(os.getpid()) > 1_000_000
        child.communicate(b"\n")
    assert proc.cpu_s(child.pid) == 0.0
    assert proc.pss_bytes(child.pid) == 0


def test_the_machine_is_busy_and_has_a_name() -> None:
    before = proc.busy_s()
    end_s = time.process_time() + 0.05
    while time.process_time() < end_s:
        pass
    assert proc.busy_s() > before
    assert "cores" in proc.machine()
