"""The extension in a real VS Code (code-server in a browser), where both are there: what a user
sees and does. With `PICTURES` naming a folder what is shown is kept there, to be looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.lsp.vscode import CONTROL, DOWN, END, ENTER, F2, Window, window
from tests.support import ROOT

RULES = ROOT / "fixtures" / "rules"
BAD = (RULES / "UP201" / "bad.prototxt").read_text(encoding="utf-8")
CODE = (RULES / "UP322" / "bad.py").read_text(encoding="utf-8")
FCN = (ROOT / "fixtures" / "fcn8s" / "fcn8s.prototxt").read_text(encoding="utf-8")
MERGES = (RULES / "UP106" / "bad.prototxt").read_text(encoding="utf-8")
BOOK = {
    "cells": [
        {"cell_type": "code", "source": source.splitlines(keepends=True), "metadata": {},
         "execution_count": None, "outputs": []}
        for source in ("import os", CODE)
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 4,
}  # fmt: skip
FILES = {
    "net.prototxt": BAD,
    "ignored.prototxt": BAD,
    "sized.prototxt": BAD,
    "renamed.prototxt": BAD,
    "typed.prototxt": BAD,
    "merges.prototxt": MERGES,
    "fcn8s.prototxt": FCN,
    "book.ipynb": json.dumps(BOOK),
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    with window(tmp_path_factory.mktemp("vscode"), FILES) as one:
        yield one


def test_findings_sizes_and_a_fix(shown: Window) -> None:
    shown.open("net.prototxt", 18, 6)
    shown.counts(".squiggly-error")
    shown.shows("1x8x32x32")
    shown.sees("document.querySelector('.codelens-decoration')?.textContent"
               "?.startsWith('valid sizes')")  # fmt: skip
    shown.picture("findings")
    shown.press(CONTROL, ".")
    shown.counts(".action-widget .monaco-list-row")
    shown.picture("fixes")
    shown.press(ENTER)
    shown.shows("kernel_size: 4")
    shown.picture("fixed")


def test_an_ignore_asks_for_its_reason(shown: Window) -> None:
    shown.open("ignored.prototxt", 18, 6)
    shown.counts(".squiggly-error")
    shown.press(CONTROL, ".")
    shown.counts(".action-widget .monaco-list-row")
    shown.press(DOWN)
    shown.press(ENTER)
    shown.sees("document.activeElement?.closest('.quick-input-widget')")
    shown.picture("reason")
    shown.answer("the paper has it")
    shown.shows("# upconv: ignore[UP201] the paper has it")
    shown.picture("ignored")


def test_sizes_at_another_input(shown: Window) -> None:
    shown.open("sized.prototxt")
    shown.shows("1x8x32x32")
    shown.command("upconv: Show Sizes at Another Input")
    shown.sees("document.activeElement?.closest('.quick-input-widget')")
    shown.picture("size")
    shown.answer("30x20")
    shown.shows("1x8x60x40")
    shown.sees("[...document.querySelectorAll('.codelens-decoration')]"
               ".some(one => one.textContent.includes('data 1x8x30x20'))")  # fmt: skip
    shown.picture("sized")


def test_a_blob_gets_another_name(shown: Window) -> None:
    line = BAD.split("\n").index('  bottom: "data"') + 1
    shown.open("renamed.prototxt", line, 13)
    shown.shows("1x8x32x32")
    shown.press(F2)
    shown.sees("document.activeElement?.closest('.rename-box')")
    shown.type("image")
    shown.picture("rename")
    shown.press(ENTER)
    shown.shows('bottom: "image"')
    shown.shows('top: "image"')
    shown.picture("renamed")


def test_words_are_completed(shown: Window) -> None:
    line = BAD.split("\n").index("    bias_term: false") + 1
    shown.open("typed.prototxt", line, 1)
    shown.shows("1x8x32x32")
    shown.press(END)
    shown.press(ENTER)
    shown.type("dil")
    shown.press(CONTROL, " ")
    shown.counts(".suggest-widget.visible .monaco-list-row")
    shown.press(CONTROL, " ")  # and what the word means
    shown.picture("completion")
    shown.press(ENTER)
    shown.shows("dilation")
    shown.picture("completed")


def test_how_merged_branches_lie(shown: Window) -> None:
    shown.open("merges.prototxt")
    shown.shows(", shifted by ")
    shown.picture("merges")


def test_a_cell_of_a_notebook_is_mended(shown: Window) -> None:
    shown.open("net.prototxt")
    shown.counts(".squiggly-error")  # a window's first file may come before what shows notebooks
    shown.open("book.ipynb")
    shown.counts(".notebook-editor, .notebookOverlay")
    shown.counts(".cell .squiggly-warning, .cell .squiggly-info, .cell .deprecated")
    shown.picture("notebook")
    shown.point(".cell .squiggly-warning", click=True)
    shown.press(CONTROL, ".")
    shown.counts(".action-widget .monaco-list-row")
    shown.picture("notebook_fixes")
    shown.press(ENTER)
    shown.shows("nn.Upsample(")
    shown.picture("notebook_fixed")


def test_in_the_dark(tmp_path: Path) -> None:
    settings = {"workbench.colorTheme": "Default Dark Modern"}
    with window(tmp_path, {"fcn8s.prototxt": FCN, "net.prototxt": BAD}, **settings) as shown:
        shown.open("net.prototxt", 18, 6)
        shown.counts(".squiggly-error")
        shown.shows("1x8x32x32")
        shown.point(".squiggly-error")
        shown.counts(".monaco-hover .hover-row")
        shown.picture("dark")
        shown.open("fcn8s.prototxt", FCN[: FCN.index('type: "Crop"')].count("\n"))
        shown.shows("1x21x")
        shown.picture("dark_fcn")


def test_a_server_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    settings = {"upconv.command": ["/nowhere/upconv", "lsp"]}
    with window(tmp_path, {"net.prototxt": BAD}, **settings) as shown:
        shown.open("net.prototxt")
        toast = ".notifications-toasts .notification-toast"
        shown.sees(f"document.querySelector('{toast}')?.textContent?.includes('pip install')")
        shown.picture("not_started")
        assert shown.counts(toast) == 1
