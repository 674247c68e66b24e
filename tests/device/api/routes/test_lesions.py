"""``/lesions``: several pictures of one lesion over time."""

import pytest

from device.core.results import LesionDocument, LesionPage

pytestmark = pytest.mark.portable


@pytest.fixture
def result_of(client, picture):
    """Upload a picture of a lesion of a patient; returns its id."""

    def make(patient, lesion):
        answer = client.post("/classify", content=picture, headers={"Content-Type": "image/jpeg"})
        path = f"/results/{answer.json()['id']}"
        client.patch(path, json={"patient_reference": patient, "lesion_reference": lesion})
        return answer.json()["id"]

    return make


def test_the_results_of_one_lesion_are_shown_in_their_order(client, result_of):
    ids = [result_of("P-1", "left arm ü.1") for _ in range(2)]
    result_of("P-2", "left arm ü.1")
    answer = client.get("/lesions/left%20arm%20%C3%BC.1?patient_reference=P-1")
    lesion = LesionDocument.model_validate_json(answer.content)
    assert [result.id for result in lesion.results] == ids
    assert (lesion.total, lesion.patient_reference) == (2, "P-1")


def test_without_a_patient_nobodys_are_meant(client, result_of, check_problem):
    result_of("P-1", "arm")
    check_problem(client.get("/lesions/arm"), 404, "result-not-found", "lesion")
    result_of(None, "arm")
    assert client.get("/lesions/arm").json()["total"] == 1


def test_the_list_is_paged_and_of_one_patient_if_asked(client, result_of):
    for patient, lesion in (("P-1", "arm"), ("P-2", "arm"), ("P-1", "leg")):
        result_of(patient, lesion)
    first = LesionPage.model_validate_json(client.get("/lesions?limit=2").content)
    rest = LesionPage.model_validate_json(
        client.get(f"/lesions?limit=2&cursor={first.next}").content
    )
    found = [(one.patient_reference, one.lesion_reference) for one in first.lesions + rest.lesions]
    assert found == [("P-1", "leg"), ("P-2", "arm"), ("P-1", "arm")]
    of_one = client.get("/lesions?patient_reference=P-1").json()["lesions"]
    assert [lesion["lesion_reference"] for lesion in of_one] == ["leg", "arm"]


@pytest.mark.parametrize(
    "path", ["/lesions/.hidden", "/lesions/%20a", "/lesions/a%5Cb", "/lesions/a%0A"]
)
def test_what_can_be_no_reference_is_refused(client, check_problem, path):
    check_problem(client.get(path), 422, "invalid-request", "lesion_reference")


@pytest.mark.parametrize("query", ["patient=P", "limit=0", "cursor=x"])
def test_an_unknown_parameter_is_refused(client, check_problem, query):
    check_problem(client.get(f"/lesions?{query}"), 422, "invalid-request", query.split("=")[0])
