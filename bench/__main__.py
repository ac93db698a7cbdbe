"""All measurements in modest sizes, about ten minutes; each one's JSON is written to .state/bench.

    python -m bench [--only tick,flip]

docs/benchmarks.md says what each number means, and holds those of one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from hack.cluster.settings import read_settings

COMMANDS: dict[str, list[str]] = {
    "tick": ["-m", "bench.tick", "--rollouts", "5000"],
    "kit": ["-m", "bench.kit_overhead"],
    "digest": ["-m", "bench.digest"],
    "ledger": ["-m", "bench.ledger", "--rounds", "12"],
    "replay": ["-m", "bench.replay"],
    "flip": ["-m", "bench.flip", "--flips", "60"],
    "fleet-200": ["-m", "bench.fleet", "--rollouts", "200", "--interval", "10"],
    "fleet-100-default": ["-m", "bench.fleet", "--rollouts", "100", "--interval", "2"],
}


def run(name: str, *, folder: Path) -> bool:
    """One measurement; whether it came to its end."""
    began, load = time.monotonic(), os.getloadavg()[0]
    done = subprocess.run([sys.executable, *COMMANDS[name]], stdout=subprocess.PIPE, text=True, check=False)
    print(f"\n== python {' '.join(COMMANDS[name])}\n{done.stdout}", flush=True)
    try:
        result: object = json.loads(done.stdout)
    except ValueError:
        result = done.stdout.splitlines()
    record = {
        "command": ["python", *COMMANDS[name]],
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.monotonic() - began, 1),
        "machine_load_before": round(load, 1),
        "result": result,
    }
    if done.returncode == 0:
        (folder / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(COMMANDS), help="which ones, comma separated")
    chosen = parser.parse_args().only.split(",")
    if unknown := set(chosen) - set(COMMANDS):
        parser.error(f"expected some of {', '.join(COMMANDS)}; got {', '.join(sorted(unknown))}")
    folder = read_settings(os.environ).state / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    failed = [name for name in chosen if not run(name, folder=folder)]
    if failed:
        print(f"not measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
