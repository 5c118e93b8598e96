"""The children of jobs: what they have of their parent, and the template they are forked from."""

from __future__ import annotations

import os
from pathlib import Path

from upconv.converters.processors import ONE_THREAD
from upconv.service.work.template import TEMPLATE, Template


def new_template(folder: Path) -> Template:
    """A template of children, whose own temporary files lie in a folder."""
    return Template(("upconv.service.jobs.steps", *TEMPLATE), child_environment(folder), "warm_up")


def child_environment(folder: Path) -> dict[str, str]:
    """A child's: nothing of the server's but where programs are, and folders of the job's own."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    own = dict.fromkeys(("HOME", "TMPDIR", "TEMP", "XDG_CACHE_HOME"), str(folder))
    return kept | own | {"PYTHONHASHSEED": "0", ONE_THREAD: "1"}
