"""The line before the workers: bounded and fair, row S13."""

from __future__ import annotations

import asyncio

import pytest

from earmark.apps.server.line import FairLine
from earmark.apps.server.problems import Problem


def run(line, asked, *, work):
    """Have callers, by name, ask in this order at once; return the names in the order they were answered."""
    done = []

    async def one(name):
        async with line.place(name):
            await asyncio.sleep(work[name])
            done.append(name)

    async def every():
        return await asyncio.gather(*(one(name) for name in asked), return_exceptions=True)

    return done, asyncio.run(every())


def test_a_greedy_caller_does_not_hold_up_a_polite_one():
    line = FairLine(1, most=100, most_of_one=50)
    done, _ = run(line, ["greedy"] * 20 + ["polite"], work={"greedy": 0.005, "polite": 0.005})
    assert done.index("polite") <= 1
    assert done.count("greedy") == 20


def test_one_caller_has_all_workers_only_as_long_as_nobody_else_asks():
    async def scene():
        line, most = FairLine(2, most=99, most_of_one=50), {"alone": 0, "beside": 0}

        async def one(name, when):
            async with line.place(name):
                at_work = line._callers["greedy"].at_work
                most[when] = max(most[when], at_work)
                await asyncio.sleep(0.002)

        await asyncio.gather(*(one("greedy", "alone") for _ in range(6)))
        await one("polite", "beside")
        await asyncio.gather(*(one("greedy", "beside") for _ in range(6)), one("polite", "beside"))
        return most

    assert asyncio.run(scene()) == {"alone": 2, "beside": 1}


def test_what_counts_is_time_and_not_questions(monkeypatch):
    monkeypatch.setattr("earmark.apps.server.line.ALIKE_SECONDS", 0.01)
    line = FairLine(1, most=100, most_of_one=50)
    done, _ = run(line, ["long", "short", "long", "short", "short", "short"], work={"long": 0.2, "short": 0.01})
    assert done[:3] == ["long", "short", "short"]
    assert done.index("long", 1) >= 3


def test_who_asked_a_hard_question_does_not_stand_behind_everybodys_easy_ones():
    line = FairLine(1, most=100, most_of_one=50)
    done, _ = run(line, ["hard", "a", "b"] * 4, work={"hard": 0.05, "a": 0.005, "b": 0.005})
    assert done == ["hard", "a", "b"] * 4


def test_who_asked_much_while_nobody_waited_is_not_held_back_for_it():
    async def scene():
        line, order = FairLine(1, most=99, most_of_one=50), []

        async def one(name):
            async with line.place(name):
                await asyncio.sleep(0.001)
                order.append(name)

        for _ in range(30):
            await one("a")
        order.clear()
        await asyncio.gather(*(one(name) for name in ["b", "a"] * 4))
        return order

    assert asyncio.run(scene()) == ["b", "a"] * 4


def test_each_caller_and_all_together_may_wait_so_much():
    line = FairLine(1, most=5, most_of_one=3)
    _, outcomes = run(line, ["a"] * 6 + ["b"] * 4, work={"a": 0.001, "b": 0.001})
    codes = [one.code for one in outcomes if isinstance(one, Problem)]
    assert codes.count("too_many_at_once") == 2
    assert codes.count("busy") == 2
    assert (line.waiting, line.at_work) == (0, 0)


def test_nobody_is_let_in_who_would_wait_too_long():
    line = FairLine(1, most=100, most_of_one=100, most_seconds=0.3)
    _, outcomes = run(line, ["a", "b", "c", "d", "e"], work=dict.fromkeys("abcde", 0.01))
    assert [one.code for one in outcomes if isinstance(one, Problem)] == ["busy"] * 2


def test_who_gives_up_leaves_the_line_in_order():
    async def scene():
        line, order = FairLine(1, most=9, most_of_one=9), []

        async def one(name):
            async with line.place(name):
                order.append(name)
                await asyncio.sleep(0.01)

        tasks = [asyncio.ensure_future(one(name)) for name in "abcd"]
        await asyncio.sleep(0.002)
        tasks[1].cancel()
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return line, order

    line, order = asyncio.run(scene())
    assert order == ["a", "c", "d"]
    assert (line.waiting, line.at_work) == (0, 0)


def test_who_gives_up_as_their_turn_comes_holds_nobody_up():
    async def scene():
        line, order = FairLine(1, most=9, most_of_one=9), []

        async def one(name):
            async with line.place(name):
                order.append(name)

        async with line.place("first"):
            tasks = [asyncio.ensure_future(one(name)) for name in "abc"]
            await asyncio.sleep(0)
            tasks[0].cancel()  # it will be told only after the place was offered to it
        await asyncio.gather(*tasks, return_exceptions=True)
        return line, order

    line, order = asyncio.run(scene())
    assert order == ["b", "c"]
    assert (line.waiting, line.at_work) == (0, 0)


def test_a_full_line_says_when_to_come_again():
    async def scene():
        line = FairLine(1, most=1, most_of_one=1)
        async with line.place("a"):
            waiting = asyncio.ensure_future(line._take("a", line._callers["a"]))
            await asyncio.sleep(0)
            refusal = line.refusal("b")
            waiting.cancel()
            return refusal

    refusal = asyncio.run(scene())
    assert (refusal.status, refusal.code) == (503, "busy")
    assert int(refusal.headers["Retry-After"]) >= 1
    with pytest.raises(Problem):
        raise refusal
