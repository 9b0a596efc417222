"""How many results an attempt has, and its pages of them: read from one index, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from django.db.models import Count, QuerySet

from jobs.models import Attempt, Job, TestCase, TestSuite
from jobs.outline import ACTIONS

Result = TestCase.Result

# What needs a look comes first. Each group is a range of the index `case_list`.
BY_URGENCY = (Result.FAIL, Result.UNKNOWN, Result.SKIP, Result.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The results of one attempt, counted by suite and kind."""

    attempt: int | None  # its key; None before there is one
    suites: Mapping[int, str]  # names by key, in the order in which they appeared
    counts: Mapping[int, Counter[str]]  # by suite and result

    @classmethod
    def of(cls, job: Job, number: int) -> Self:
        attempt = Attempt.objects.filter(job=job, number=number).values_list("pk", flat=True).first()
        suites = dict(TestSuite.objects.filter(attempt=attempt).order_by("pk").values_list("pk", "name"))
        counts: dict[int, Counter[str]] = {suite: Counter() for suite in suites}
        cases = TestCase.objects.filter(attempt=attempt).order_by()
        for suite, result, count in cases.values_list("suite_id", "result").annotate(Count("pk")):
            counts.setdefault(suite, Counter())[result] = count
        return cls(attempt=attempt, suites=suites, counts=counts)

    @property
    def all(self) -> Counter[str]:
        return sum(self.counts.values(), Counter())

    @property
    def of_tests(self) -> Counter[str]:
        """Without the dispatcher's own actions, which are no tests: one that was tried again has failed once."""
        return sum(
            (count for suite, count in self.counts.items() if not self._is_of_actions(suite)), Counter()
        )

    def of_each_suite(self) -> list[tuple[str, Counter[str]]]:
        return [(self.suites[suite], count) for suite, count in self.counts.items() if suite in self.suites]

    def first_failure(self) -> TestCase | None:
        """Of the tests, in the order in which they were reported."""
        tests = [suite for suite in self.suites if not self._is_of_actions(suite)]
        failures = self._cases().filter(result=Result.FAIL, suite__in=tests)
        return failures.order_by("pk").first() if self.of_tests[Result.FAIL] else None

    def cases(
        self, *, start: int, size: int, result: str = "", suite: str = ""
    ) -> tuple[list[TestCase], int]:
        """So many of the chosen results from the `start`th on, the urgent ones first, and how many were chosen."""
        suites = [key for key, name in self.suites.items() if name == suite] if suite else None
        kinds = [kind for kind in BY_URGENCY if result in ("", kind)]
        counted = sum((self.counts[key] for key in self.counts if suites is None or key in suites), Counter())
        rows: list[TestCase] = []
        skip = start
        for kind in kinds:
            left = size - len(rows)
            if left and skip < counted[kind]:
                found = self._cases().filter(result=kind)
                found = found if suites is None else found.filter(suite__in=suites)
                rows += _from_the_nearer_end(found, skip, left, of=counted[kind])
            skip = max(0, skip - counted[kind])
        return rows, sum(counted[kind] for kind in kinds)

    def _cases(self) -> QuerySet[TestCase]:
        return TestCase.objects.filter(attempt=self.attempt).select_related("suite")

    def _is_of_actions(self, suite: int) -> bool:
        return self.suites.get(suite) == ACTIONS


def _from_the_nearer_end(cases: QuerySet[TestCase], start: int, size: int, *, of: int) -> list[TestCase]:
    """A database walks over all the rows that it passes by: the last page is as near as the first."""
    end = min(start + size, of)
    if start <= of - end:
        return list(cases.order_by("suite_id", "pk")[start:end])
    return list(cases.order_by("-suite_id", "-pk")[of - end : of - start])[::-1]
