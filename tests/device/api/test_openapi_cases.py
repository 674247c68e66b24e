"""
Every route keeps the promises of the OpenAPI document, whatever it is asked.

schemathesis makes requests up, such as the document allows and such as it does not, and holds each
answer against all of its checks: no server error but the documented 503, no status, media type,
header or body that the document does not describe, nothing wrong that is accepted, nothing right
that is refused.  The requests go into the application directly.

Started as a program (``PYTHONPATH=. python tests/device/api/test_openapi_cases.py 2000``) this file
asks as many times and prints what it counted; ``make soak`` does so.
"""

import itertools
import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.specs.openapi.checks import positive_data_acceptance

from device.api.security import throttle
from device.core.access import Role
from device.core.results import Annotation
from device.service import clock

pytestmark = pytest.mark.slow

CASES = 300
"""In ``make test``; spread evenly over all operations."""
load_all_checks()
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


class Interrogation:
    """
    A box that the network reaches, and an admin who asks it everything.

    The stream of events is told to end at once; else nobody would wait for its answer.
    """

    def __init__(self, box, jpeg):
        self.box = box
        self.picture = jpeg
        self.headers = box.bearer(Role.ADMIN)
        box.bulletin.close()
        self.application = box.application(is_loopback=False, names=("testserver",))
        for media_type in ("image/jpeg", "image/png", "application/octet-stream"):
            schemathesis.openapi.media_type(media_type, st.just(jpeg) | st.binary())
        schema = schemathesis.openapi.from_asgi(
            "/openapi.json", self.application, headers=self.headers
        )
        self.operations = [found.ok() for found in schema.get_all_operations()]
        self.statuses = Counter()
        self.lesion = "left forearm 1"
        changes = Annotation(lesion_reference=self.lesion)
        box.history.annotate(self.a_result(), changes, actor="test").result()

    def ask(self, operation, mode, count, seed):
        """
        Put up to *count* made-up requests of one kind to one operation.

        Every other one, the first among them, names something that is there: left to chance, an
        operation that is asked five times would now and then do nothing.
        """
        turns = itertools.cycle((True, False))

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(operation.as_strategy(generation_mode=mode))
        def one(case):
            if next(turns) and mode is GenerationMode.POSITIVE:
                self.aim(case)
            response = case.call(headers=self.headers)
            self.statuses[f"{operation.label} {response.status_code}"] += 1
            case.validate_response(
                response, headers=self.headers, excluded_checks=beyond_the_document(response)
            )

        one()

    def aim(self, case):
        """Name something that is there: made-up ids hardly ever do."""
        wanted = case.path_parameters or {}
        if "result_id" in wanted:
            wanted["result_id"] = self.a_result()
        if "token_id" in wanted:
            self.box.bearer(Role.READ)
            wanted["token_id"] = self.box.tokens.all()[-1].token_id
        if "lesion_reference" in wanted:
            wanted["lesion_reference"] = self.lesion
            case.query = {}
        if case.operation.label == "PUT /model":
            case.body = self.box.models.bundle
        if case.operation.label == "PUT /clock":
            case.body = {"now": "2027-03-01T09:30:00Z"}
        if case.operation.label == "POST /login":
            case.body = {"token": self.headers["Authorization"].removeprefix("Bearer ")}

    def a_result(self):
        capture = self.box.frames.request().result()
        return self.box.examiner.submit(capture).result().result_id

    def ask_everything(self, cases):
        """Spread at least *cases* over all operations and both kinds; returns how many."""
        kinds = [
            (operation, mode)
            for operation in self.operations
            for mode in MODES
            # There is nothing wrong to be made up where there is nothing to be said.
            if mode is GenerationMode.POSITIVE or takes_something(operation)
        ]
        seeds = itertools.count()
        # Some can be asked in one or two ways only; the others make up for them.
        while (missing := cases - self.statuses.total()) > 0:
            seed = next(seeds)
            for operation, mode in kinds:
                self.ask(operation, mode, -(-missing // len(kinds)), seed)
        return self.statuses.total()


def beyond_the_document(response):
    """A document cannot say which bytes are a picture or a signed model, nor which times can be."""
    if response.status_code >= 400:
        problem = response.json()
        if (
            problem["code"].startswith(("picture-", "bundle-"))
            or "expected a time from" in problem["detail"]
        ):
            return [positive_data_acceptance]
    return []


def takes_something(operation):
    return any((operation.query, operation.path_parameters, operation.headers, operation.body))


@pytest.fixture
def questions(box, picture, monkeypatch):
    monkeypatch.setattr(throttle, "FAILURES", 10**9)  # Made-up tokens are wrong, all of them.
    # Whether this machine's network keeps its clock is not what is asked here.
    monkeypatch.setattr(clock, "kernel_is_synchronized", lambda: False)
    return Interrogation(box, picture)


def test_every_check_is_made():
    """Those that look at one answer; what a later version adds is made as well."""
    assert {check.__name__ for check in CHECKS.get_all()} >= {
        "content_type_conformance",
        "ignored_auth",
        "negative_data_rejection",
        "not_a_server_error",
        "positive_data_acceptance",
        "response_headers_conformance",
        "response_schema_conformance",
        "status_code_conformance",
        "unsupported_method",
    }


def test_the_box_says_what_its_document_says(questions):
    asked = questions.ask_everything(CASES)
    assert asked >= CASES
    # Not only refusals: every operation was seen to do what it is for.
    done = {
        label.rpartition(" ")[0] for label in questions.statuses if label.endswith(("200", "204"))
    }
    assert {operation.label for operation in questions.operations} == done


def main(cases):
    from conftest import Box, jpeg

    throttle.FAILURES = 10**9
    clock.kernel_is_synchronized = lambda: False
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        made = Box(Path(folder))
        asking = Interrogation(made, jpeg())
        asked = asking.ask_everything(cases)
        made.close()
    lines = [f"{count:6} {label}" for label, count in sorted(asking.statuses.items())]
    sys.stdout.write("\n".join([*lines, f"{asked:6} in all, and all as the document says", ""]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
