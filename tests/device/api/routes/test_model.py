"""``/model``."""

import pytest

from device.bundle import open_bundle
from device.bundle.bundle import MOST_BYTES
from device.core.access import Role
from device.core.errors import BundleError, BundleFault, BusyError, UpdateError
from tests.bundles import Signer, a_bundle, a_trust

pytestmark = pytest.mark.portable


def test_the_contract_is_shown_whole_with_the_files_digest(client, box):
    answer = client.get("/model")
    assert answer.status_code == 200
    contract = box.appliance.manifest.model_dump(mode="json")
    assert answer.json() == {**contract, "sha256": "ab" * 32}


def put(client, content, **options):
    headers = {"Content-Type": "application/octet-stream", **options.pop("headers", {})}
    return client.put("/model", content=content, headers=headers, **options)


def test_a_signed_model_is_taken_and_the_box_restarts(client, box):
    answer = put(client, box.models.bundle)
    assert answer.status_code == 200
    assert answer.json() == {
        "name": "test",
        "version": "2.0.0",
        "sha256": open_bundle(box.models.bundle, a_trust()).manifest.model.sha256,
        "key_id": Signer(1).name,
        "has_changed": True,
        "is_forced": False,
        "restarts": True,
    }
    assert box.models.asked == [(box.models.bundle, False, "api")]


def test_force_is_asked_for_by_name(client, box):
    assert put(client, box.models.bundle, params={"force": "true"}).json()["is_forced"]
    for wrong in ({"force": "please"}, {"forced": "true"}):
        assert put(client, box.models.bundle, params=wrong).status_code == 422
    assert len(box.models.asked) == 1


@pytest.mark.parametrize("role", [Role.READ, Role.OPERATE, None])
def test_only_an_admin_may(box, role, check_problem):
    with box.client(is_loopback=False) as client:
        headers = box.bearer(role) if role else {}
        answer = put(client, box.models.bundle, headers=headers)
        check_problem(answer, 403 if role else 401, "forbidden" if role else "unauthorized")
    assert box.models.asked == []


def test_the_token_stands_in_the_audit_trail(box):
    with box.client(is_loopback=False) as client:
        assert put(client, box.models.bundle, headers=box.bearer(Role.ADMIN)).status_code == 200
    ((_, _, actor),) = box.models.asked
    assert actor.startswith("api: a adminer (")


def test_a_broken_bundle_is_a_problem_of_its_own_kind(client, box, check_problem):
    check_problem(put(client, b""), 422, "bundle-signature", "expected")
    check_problem(put(client, a_bundle(signer=Signer(7))), 422, "bundle-key", Signer(7).name)
    box.models.failure = BundleError(BundleFault.OLDER, "expected a version above 2.0.0")
    check_problem(put(client, box.models.bundle), 409, "bundle-older", "above 2.0.0")
    box.models.failure = UpdateError("models: expected to write, found no room")
    check_problem(put(client, box.models.bundle), 503, "update", "no room")


def test_a_second_one_has_to_wait(client, box, check_problem):
    box.models.refusal = BusyError("another model is being installed")
    check_problem(put(client, box.models.bundle), 503, "busy", "another model")


def test_a_body_that_is_too_large_is_not_received(client, box, check_problem):
    check_problem(put(client, bytes(MOST_BYTES + 1)), 413, "upload-too-large", str(MOST_BYTES))

    def pieces():
        for _ in range(MOST_BYTES // 2**20 + 2):
            yield bytes(2**20)

    check_problem(put(client, pieces()), 413, "upload-too-large")
    assert box.models.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-tar"},
        {"Content-Type": ""},
        {"Content-Encoding": "gzip"},
    ],
)
def test_another_kind_of_body_is_refused(client, box, check_problem, headers):
    check_problem(put(client, box.models.bundle, headers=headers), 415, "media-type")
    assert box.models.asked == []


def test_readiness_tells_which_model_answers_and_whether_on_trial(client, box):
    assert client.get("/readyz").json()["model"] == {
        "name": "scripted",
        "version": "1.2.3",
        "sha256": box.models.model.sha256,
        "source": "installed",
        "is_on_trial": True,
        "instead_of": None,
    }
