"""CPU time of a cold `upconv check` of one FCN prototxt, beside an interpreter that does nothing.

Cold means a new process; bytecode is cached, as after any installation.

python -m benchmarks.cold_start [NET.prototxt] [ROUNDS]
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

FIXTURE = Path(__file__).parents[1] / "fixtures/fcn8s/fcn8s.prototxt"


def cpu_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    quiet = subprocess.DEVNULL
    subprocess.run(command, stdout=quiet, stderr=quiet, check=False, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    net = sys.argv[1] if len(sys.argv) > 1 else str(FIXTURE)
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    upconv = os.path.join(os.path.dirname(sys.executable), "upconv")
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "upconv --version": [upconv, "--version"],
        "upconv check": [upconv, "check", net],
    }
    for command in commands.values():
        cpu_seconds(command)  # writes the bytecode
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(cpu_seconds(command))
    print(f"cold start, CPU seconds over {rounds} alternating rounds ({Path(net).name})")
    for name, values in times.items():
        print(f"  {name:18} min {min(values):.3f}  median {statistics.median(values):.3f}")


if __name__ == "__main__":
    main()
