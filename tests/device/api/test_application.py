"""
The OpenAPI document is golden: a change of the interface shows in review.

Started as a program (``PYTHONPATH=. python tests/device/api/test_application.py``), this file
writes ``docs/openapi.json`` afresh; do so only when the interface is meant to change.
"""

import json
from pathlib import Path

import pytest

from device.api import problems
from device.api.schemas import ANSWER_EXAMPLES
from device.core.document import AnswerDocument

pytestmark = pytest.mark.portable

GOLDEN = Path(__file__).resolve().parents[3] / "docs/openapi.json"
RENEW = "if that is meant: PYTHONPATH=. python tests/device/api/test_application.py"


def test_the_openapi_document_is_the_golden_one(client):
    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == client.get("/openapi.json").json(), (
        RENEW
    )


def test_the_document_is_the_same_every_time(client):
    assert client.get("/openapi.json").content == client.get("/openapi.json").content


def operations(document):
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_answer_has_an_example_or_a_schema_and_every_problem_both(client):
    document = client.get("/openapi.json").json()
    assert len(operations(document)) == 30
    for name, operation in operations(document):
        assert operation["summary"], name
        for status, answer in operation["responses"].items():
            if status == "204":
                assert "content" not in answer
                continue
            if status == "200":
                assert all(content["schema"] for content in answer["content"].values()), name
                continue
            problem = answer["content"][problems.MEDIA_TYPE]
            assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
            for slug, example in problem["examples"].items():
                assert example["value"]["code"] == slug
                assert str(example["value"]["status"]) == status
            assert ("headers" in answer) == (status in {"429", "503"})
        assert (
            "internal" in operation["responses"]["503"]["content"][problems.MEDIA_TYPE]["examples"]
        )


def test_every_problem_that_a_route_can_have_is_documented_with_an_example(client):
    shown = {
        slug
        for _, operation in operations(client.get("/openapi.json").json())
        for status, answer in operation["responses"].items()
        if status not in {"200", "204"}
        for slug in answer["content"][problems.MEDIA_TYPE]["examples"]
    }
    # These belong to no route.
    nowhere = {"not-found", "method-not-allowed", "panel", "settings"}
    assert shown == set(problems.KINDS) - nowhere


@pytest.mark.parametrize("name", ANSWER_EXAMPLES)
def test_the_examples_are_answers(name):
    value = ANSWER_EXAMPLES[name]["value"]
    assert AnswerDocument.model_validate(value).model_dump(mode="json") == value


def test_the_references_lead_somewhere(client):
    document = client.get("/openapi.json").json()
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"]


def test_only_health_and_the_login_need_no_token_in_the_document(client):
    document = client.get("/openapi.json").json()
    public = [name for name, operation in operations(document) if operation["security"] == []]
    assert public == ["get /healthz", "post /login", "post /logout"]


if __name__ == "__main__":
    import tempfile

    from conftest import Box

    with tempfile.TemporaryDirectory() as folder:
        made = Box(Path(folder))
        with made.client() as opened:
            document = opened.get("/openapi.json").json()
        made.close()
    GOLDEN.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
