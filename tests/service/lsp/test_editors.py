"""Editors as their pages configure them: findings arrive. Each skips where the editor is absent."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

CASE = ROOT / "fixtures" / "rules" / "UP201" / "bad.prototxt"
ELPA = Path("/usr/share/emacs/site-lisp/elpa")

NEOVIM = """
vim.defer_fn(function()
  vim.wait(60000, function() return #vim.diagnostic.get(0) > 0 end, 100)
  for _, one in ipairs(vim.diagnostic.get(0)) do
    io.stdout:write(string.format("%d: %s\\n", one.lnum + 1, one.message))
  end
  vim.cmd("qa!")
end, 100)
"""
EMACS = """
(setq eglot-sync-connect 60)
(find-file "net.prototxt")
(run-hooks 'post-command-hook)
(let ((left 300))
  (while (and (> left 0) (null (flymake-diagnostics)))
    (accept-process-output nil 0.2) (flymake-start) (setq left (1- left))))
(dolist (one (flymake-diagnostics))
  (message "%s: %s" (line-number-at-pos (flymake-diagnostic-beg one))
           (flymake-diagnostic-text one)))
"""


def configuration(editor: str, language: str, number: int = 0) -> str:
    """What an editor's page says is to be written into its configuration."""
    page = (ROOT / "docs" / "editors" / f"{editor}.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return blocks[number]


def run(folder: Path, *command: str) -> str:
    (folder / "net.prototxt").write_text(CASE.read_text(encoding="utf-8"), encoding="utf-8")
    ours = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": ours, "HOME": str(folder)}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


def shows_the_findings(said: str) -> bool:
    return all(re.search(rf"^{line}: .*kernel_size", said, re.MULTILINE) for line in (18, 33, 49))


def test_neovim(tmp_path: Path) -> None:
    program = shutil.which("nvim")
    if program is None:
        pytest.skip("no Neovim (apt install neovim)")
    version = re.search(r"v0\.(\d+)", run(tmp_path, program, "--version"))
    old = version is not None and int(version[1]) < 11
    (tmp_path / "init.lua").write_text(configuration("neovim", "lua", int(old)))
    (tmp_path / "prove.lua").write_text(NEOVIM)
    prove = ("-c", "luafile prove.lua")
    said = run(tmp_path, program, "--headless", "--clean", "-u", "init.lua", "net.prototxt", *prove)
    assert shows_the_findings(said), said


def test_emacs(tmp_path: Path) -> None:
    program = shutil.which("emacs")
    paths = [part for one in sorted(ELPA.glob("*")) for part in ("-L", str(one))]
    wanted = ("-Q", "--batch", *paths)
    if program is None or "lacks" in run(
        tmp_path, program, *wanted, "--eval", '(unless (require \'eglot nil t) (message "lacks"))'
    ):
        pytest.skip("no Emacs with Eglot (apt install emacs-nox elpa-eglot)")
    (tmp_path / "init.el").write_text(configuration("emacs", "elisp"))
    (tmp_path / "prove.el").write_text(EMACS)
    said = run(tmp_path, program, *wanted, "-l", "init.el", "-l", "prove.el")
    assert shows_the_findings(said), said
