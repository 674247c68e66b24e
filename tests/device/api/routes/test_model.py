"""``/model``."""

import pytest

pytestmark = pytest.mark.portable


def test_the_contract_is_shown_whole_with_the_files_digest(client, box):
    answer = client.get("/model")
    assert answer.status_code == 200
    contract = box.appliance.manifest.model_dump(mode="json")
    assert answer.json() == {**contract, "sha256": "ab" * 32}
