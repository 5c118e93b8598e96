"""Whose turn it is."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.service.commands import upconv
from tests.service.http.server import serving
from tests.service.http.test_jobs import SMALL
from upconv.service.jobs.line import BusyError, Line


def served(line: Line, waiting: dict[str, tuple[int, int]]) -> str:
    """The next job as the database gives it: by its turn, then by its age."""
    job = min(waiting, key=waiting.__getitem__)
    del waiting[job]
    line.begin(job)
    line.leave(job)
    return job


@pytest.mark.parametrize("seed", range(20))
def test_a_job_waits_for_at_most_one_of_each_other_token(seed: int) -> None:
    chance = random.Random(seed)
    line, waiting, came = Line(1, 1000, 1000), dict[str, tuple[int, int]](), 0
    assert line.turn("first", "x") is None
    before: dict[str, list[str]] = {}
    order: list[str] = []
    for _ in range(300):
        if chance.random() < 0.55:
            job = f"{chance.choice('aaaabc')}{came}"
            turn = line.turn(job, job[0])
            assert turn is not None
            if not any(other[0] == job[0] for other in waiting):  # its owner's only one
                before[job] = list(order)
            waiting[job] = turn, came
            came += 1
        elif waiting:
            order.append(served(line, waiting))
    while waiting:
        order.append(served(line, waiting))
    for job, past in before.items():
        between = order[len(past) : order.index(job)]
        assert len([other for other in between if other[0] == job[0]]) == 0
        assert all(sum(one[0] == other for one in between) <= 1 for other in "abc"), (job, between)


def test_what_waits_is_bounded_and_what_comes_alone_does_not_wait() -> None:
    line = Line(2, 3, 2)
    assert (line.turn("1", "a"), line.turn("2", "a")) == (None, None)
    assert (line.turn("3", "a"), line.turn("4", "a")) == (1, 2)
    with pytest.raises(BusyError):
        line.turn("5", "a")
    assert line.turn("6", "b") == 1
    with pytest.raises(BusyError):
        line.turn("7", "c")
    for job in "12346":
        line.begin(job)
        line.leave(job)
    assert line.turn("8", "c") is None


def test_the_order_outlives_a_server() -> None:
    line = Line(1, 10, 10)
    line.join("late", "a", 7)
    line.join("early", "a", 6)
    assert line.turn("new", "b") == 6
    assert line.turn("more", "a") == 8


def test_one_tokens_jobs_do_not_hold_up_anothers(tmp_path: Path) -> None:
    many, one = (
        upconv("serve", "--tokens", "t", "--add-token", name, cwd=tmp_path).out.strip()
        for name in ("ann", "bob")
    )
    with serving(tmp_path, "--tokens", str(tmp_path / "t"), "--jobs", "1") as server:
        ann, bob = ({"Authorization": f"Bearer {token}"} for token in (many, one))
        net = SMALL.replace(b"dim: 5 dim: 7", b"dim: 120 dim: 150")
        for number in range(20):
            files = {f"{number}.prototxt": net}
            server.send(files, "convert", {"fill_missing": "bilinear"}, wait=0, headers=ann)
        assert server.send({"b.prototxt": SMALL}, headers=bob).json["state"] == "done"
        states = [job["state"] for job in server.get("/v1/jobs", headers=ann).json["jobs"]]
        assert states.count("queued") >= 10, states
