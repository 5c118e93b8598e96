"""Recall of the rules: correct nets broken one way at a time, and which rules notice.

    python -m benchmarks.rule_recall

"same" are mutants that compute what the original computes (by the float64 reference), or that are
as sound a net of their own. "missed" is what no rule meant for it notices.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.linter import mutants


def main() -> None:
    rows: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    codes: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for net in mutants.NETS:
        for mutant in mutants.mutants(net):
            key = (mutant.net, mutant.kind, mutant.family)
            hits = mutant.expected & set(mutants.noticed(mutant))
            same = not hits and (mutants.is_another_net(mutant) or mutants.is_equivalent(mutant))
            rows[key].update(["all", "caught" if hits else "same" if same else "missed"])
            codes[key].update(hits)
    print(f"{'net':9} {'broken':16} {'of a':17} {'all':>4} {'caught':>7} {'same':>5} {'missed':>7}")
    for key in sorted(rows):
        counts = [rows[key][name] for name in ("all", "caught", "same", "missed")]
        by = ", ".join(code for code, _ in codes[key].most_common())
        print("{:9} {:16} {:17} {:4} {:7} {:5} {:7}  {}".format(*key, *counts, by))
    total = sum(rows.values(), Counter())
    print({name: total[name] for name in ("all", "caught", "same", "missed")})


if __name__ == "__main__":
    main()
