"""Error families: each has one slug that never changes, and says what to do."""

import importlib
import pkgutil

import pytest

import device.core
from device.core.errors import DecodeError, DecodeFault, EdgeDermError, ModelError

pytestmark = pytest.mark.portable


def families(root=EdgeDermError):
    """The root and everything below it."""
    yield root
    for family in root.__subclasses__():
        yield from families(family)


def test_every_family_has_a_slug_of_its_own():
    slugs = [family.__dict__.get("slug") for family in families()]
    assert None not in slugs
    assert len(set(slugs)) == len(slugs)


def test_the_slugs_are_those_that_clients_know():
    """Changing one breaks whoever reads the problem documents."""
    assert {family.slug for family in families() if family.__module__ == "device.core.errors"} == {
        "internal",
        "settings",
        "access",
        "camera",
        "panel",
        "picture",
        "model",
        "bundle",
        "update",
        "history",
        "result-not-found",
        "picture-not-kept",
        "clock",
        "clock-kept",
        "busy",
        "not-ready",
    }


def test_all_families_live_in_one_file():
    for found in pkgutil.walk_packages(device.core.__path__, "device.core."):
        importlib.import_module(found.name)
    assert {family.__module__ for family in families()} == {"device.core.errors"}


def test_every_family_says_what_it_means():
    assert all(family.__doc__ for family in families())


@pytest.mark.parametrize("fault", DecodeFault)
def test_a_refused_picture_carries_its_fault(fault):
    error = DecodeError(fault, "cut off")
    assert error.fault is fault
    assert str(error) == "cut off"


def test_the_faults_are_those_that_clients_know():
    assert {fault.value for fault in DecodeFault} == {
        "empty",
        "too-large",
        "not-a-picture",
        "truncated",
        "unsupported",
        "too-small",
    }


def test_a_refused_model_says_field_expected_found_and_remedy():
    error = ModelError(field="input", expected="uint8", found="float32", remedy="export it again")
    assert str(error) == ("model refused (input): expected uint8, found float32; export it again")
    assert (error.field, error.expected, error.found, error.remedy) == (
        "input",
        "uint8",
        "float32",
        "export it again",
    )
