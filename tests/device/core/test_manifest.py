"""A contract is complete, consistent and frozen, or there is none."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from device.core import manifest
from device.core.manifest import (
    DIAGNOSES,
    SCHEMA_VERSION,
    Calibration,
    Denoise,
    FieldOfView,
    GoldenCase,
    Guarantee,
    HairRemoval,
    InputSpec,
    Metric,
    ModelManifest,
    OperatingPoint,
    PreprocessSpec,
    Record,
    Resize,
)
from tests.builders import a_manifest, a_spec, an_out_of_distribution, in_base64

pytestmark = pytest.mark.portable

METRICS = {"auroc": Metric(value=0.9, low=0.88, high=0.92)}


def a_document(**changes):
    """The contract as plain JSON values, with *changes* on top."""
    document = json.loads(a_manifest(metrics=METRICS).model_dump_json())
    return {**document, **changes}


def nodes(document, path=()):
    """Every mapping in *document* that the contract defines, with the way to it."""
    yield path, document
    for key, value in document.items():
        if key in {"metrics", "images"}:
            if key == "metrics":
                yield from nodes(value["auroc"], (*path, key, "auroc"))
        elif isinstance(value, dict):
            yield from nodes(value, (*path, key))
        elif isinstance(value, list):
            for place, item in enumerate(value):
                if isinstance(item, dict):
                    yield from nodes(item, (*path, key, place))


def at(document, path):
    for step in path:
        document = document[step]
    return document


PLACES = [path for path, _ in nodes(a_document())]
# Words that can have one value only, and need not be written.
FIXED = [("input", key) for key in ("name", "dtype", "layout", "color")]
FIELDS = [
    (*path, key) for path, node in nodes(a_document()) for key in node if (*path, key) not in FIXED
]


class TestRoundTrip:
    def test_json_and_back_is_the_same(self):
        contract = a_manifest(metrics=METRICS)
        assert contract == ModelManifest.model_validate_json(contract.model_dump_json())

    @settings(max_examples=25)
    @given(
        scale=st.floats(0.01, 100),
        offset=st.floats(-100, 100),
        thresholds=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
        side_px=st.integers(32, 512),
        name=st.text(min_size=1, max_size=100),
    )
    def test_for_any_values(self, scale, offset, thresholds, side_px, name):
        contract = a_manifest(
            name=name,
            input=an_input(side_px),
            preprocess=a_spec(side_px),
            calibration=Calibration(method="platt", scale=scale, offset=offset),
            operating_point=OperatingPoint(
                benign_below=thresholds[0], malignant_from=thresholds[1]
            ),
        )
        assert contract == ModelManifest.model_validate_json(contract.model_dump_json())


class TestComplete:
    @pytest.mark.parametrize("path", FIELDS, ids=lambda path: ".".join(map(str, path)))
    def test_no_field_may_be_left_out(self, path):
        document = a_document()
        at(document, path[:-1]).pop(path[-1])
        with pytest.raises(ValidationError):
            ModelManifest.model_validate(document)

    @pytest.mark.parametrize(("record", "key"), FIXED)
    def test_a_word_with_one_value_has_no_other(self, record, key):
        document = a_document()
        document[record][key] = "other"
        with pytest.raises(ValidationError, match=f"{record}.{key}"):
            ModelManifest.model_validate(document)

    @pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)) or "root")
    def test_no_key_may_be_unknown(self, path):
        document = a_document()
        at(document, path)["surprise"] = 1
        with pytest.raises(ValidationError, match="surprise"):
            ModelManifest.model_validate(document)

    @pytest.mark.parametrize(
        "record",
        [
            found
            for found in vars(manifest).values()
            if isinstance(found, type)
            and issubclass(found, BaseModel)
            and found.__module__ == "device.core.manifest"
        ],
        ids=lambda record: record.__name__,
    )
    def test_every_record_is_frozen_and_closed(self, record):
        assert issubclass(record, Record)
        assert record.model_config["frozen"]
        assert record.model_config["extra"] == "forbid"
        assert record.model_config["allow_inf_nan"] is False

    def test_a_contract_does_not_change(self):
        with pytest.raises(ValidationError, match="frozen"):
            a_manifest().name = "other"


def an_input(side_px):
    return InputSpec(name="image", dtype="uint8", layout="NHWC", color="RGB", side_px=side_px)


class TestGeneration:
    @pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 0, "1", None])
    def test_another_schema_is_refused(self, version):
        with pytest.raises(ValidationError, match="schema_version"):
            ModelManifest.model_validate(a_document(schema_version=version))

    @pytest.mark.parametrize("word", ["edgederm-contract-2", "pi4", ""])
    def test_another_generation_is_refused(self, word):
        with pytest.raises(ValidationError, match="compatible"):
            ModelManifest.model_validate(a_document(compatible=word))


class TestConsistent:
    def test_a_diagnosis_stands_once(self):
        with pytest.raises(ValidationError, match="diagnoses: expected each code once"):
            a_manifest(diagnoses=(*DIAGNOSES[:-1], DIAGNOSES[0]))

    @pytest.mark.parametrize("malignant", [(), ("NV",), ("MEL", "BCC"), (*DIAGNOSES,)])
    def test_what_is_malignant_is_not_a_models_choice(self, malignant):
        with pytest.raises(ValidationError, match=r"malignant: expected \['AKIEC', 'BCC', 'MEL'\]"):
            a_manifest(malignant=malignant)

    @pytest.mark.parametrize("field", ["diagnoses", "malignant"])
    def test_an_unknown_diagnosis_is_refused(self, field):
        with pytest.raises(ValidationError, match=field):
            a_manifest(**{field: ("MEL", "SCC")})

    @pytest.mark.parametrize(
        ("method", "scale", "offset"),
        [("none", 3.0, 0.0), ("none", 1.0, 1.0), ("temperature", 2.0, 1.0), ("platt", 1e-300, 0.0)],
    )
    def test_a_calibration_is_what_it_is_called(self, method, scale, offset):
        with pytest.raises(ValidationError):
            Calibration(method=method, scale=scale, offset=offset)

    def test_the_stages_give_what_the_graph_takes(self):
        with pytest.raises(
            ValidationError, match=r"input\.side_px is 96, but the resize stage gives"
        ):
            a_manifest(input=an_input(96))

    @pytest.mark.parametrize("count", [0, 6, 8])
    def test_the_golden_case_speaks_of_every_diagnosis(self, count):
        golden = a_manifest().golden.model_dump()
        golden["diagnosis_probabilities"] = (0.1,) * count
        with pytest.raises(ValidationError, match=f"expected 7 probabilities, found {count}"):
            a_manifest(golden=GoldenCase(**golden))

    @given(low=st.floats(0, 1), high=st.floats(0, 1))
    def test_the_thresholds_are_in_order(self, low, high):
        if low <= high:
            point = OperatingPoint(benign_below=low, malignant_from=high)
            assert point.benign_below <= point.malignant_from
            return
        with pytest.raises(ValidationError, match="expected benign_below <= malignant_from"):
            OperatingPoint(benign_below=low, malignant_from=high)


class TestGuarantee:
    def test_it_says_what_it_promises_in_words(self):
        promise = Guarantee(
            method="order_statistic", miss_rate=0.075, confidence=0.951, lesions=138, missed=5
        )
        assert promise.in_words == (
            "Of malignant lesions like those of the calibration part, at most 7.5% are called "
            "benign on any of their pictures, with a confidence of 95.1% (5 of its 138 malignant "
            "lesions are)."
        )

    @pytest.mark.parametrize(("lesions", "missed"), [(0, 0), (5, 5), (5, 6), (5, -1)])
    def test_it_rests_on_more_lesions_than_it_misses(self, lesions, missed):
        with pytest.raises(ValidationError):
            Guarantee(
                method="order_statistic",
                miss_rate=0.1,
                confidence=0.9,
                lesions=lesions,
                missed=missed,
            )


class TestOutOfDistribution:
    def test_arrays_are_read_as_they_were_written(self):
        spec = an_out_of_distribution(
            (0.5, -0.25),
            factors=2,
            noise=in_base64(np.array([1.0, 2.0], dtype="<f4")),
            loadings=in_base64(np.array([[127, -1], [0, 2]], dtype="<i1")),
            scales=in_base64(np.array([0.5, 2.0], dtype="<f4")),
        )
        assert spec.mean_D.tolist() == [0.5, -0.25]
        assert spec.noise_D.tolist() == [1.0, 2.0]
        assert spec.loadings_FD.tolist() == [[63.5, -0.5], [0.0, 4.0]]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"noise": in_base64(np.ones(3, dtype="<f4"))}, "noise: expected 4 numbers, found 3"),
            ({"noise": in_base64(np.zeros(4, dtype="<f4"))}, "noise above 0"),
            ({"noise": in_base64(np.full(4, np.nan, dtype="<f4"))}, "finite numbers"),
            ({"factors": 2}, "scales: expected 2 numbers, found 1"),
            ({"loadings": in_base64(np.ones(5, dtype="<i1"))}, "loadings: expected 4 numbers"),
            ({"mean": "no base64"}, "expected base64"),
            ({"mean": in_base64(np.ones(3, dtype="<i1"))}, "expected base64 of float32"),
            ({"limit": 0.0}, "limit"),
        ],
    )
    def test_arrays_that_do_not_fit_each_other_are_refused(self, changes, message):
        with pytest.raises(ValidationError, match=message):
            an_out_of_distribution(**changes)


class TestStages:
    RESIZE = Resize(side_px=64)
    FIELD = FieldOfView(enabled=True, dark_share=0.3, smallest_side_share=0.5)
    DENOISE = Denoise(enabled=True, diameter_px=3, sigma_color_levels=12.0, sigma_space_px=1.5)

    @pytest.mark.parametrize(
        "stages", [(RESIZE,), (FIELD, RESIZE), (RESIZE, DENOISE), (FIELD, RESIZE, DENOISE)]
    )
    def test_only_the_resize_is_needed(self, stages):
        assert PreprocessSpec(version=1, stages=stages).side_px == 64

    @pytest.mark.parametrize(
        "stages",
        [(), (FIELD,), (DENOISE, RESIZE), (RESIZE, FIELD, RESIZE), (FIELD, DENOISE, RESIZE)],
    )
    def test_nothing_but_the_field_of_view_comes_before_the_resize(self, stages):
        with pytest.raises(ValidationError, match=r"before all others|at most once"):
            PreprocessSpec(version=1, stages=stages)

    @pytest.mark.parametrize("stages", [(RESIZE, RESIZE), (RESIZE, DENOISE, DENOISE)])
    def test_a_stage_stands_once(self, stages):
        with pytest.raises(ValidationError, match="each stage at most once"):
            PreprocessSpec(version=1, stages=stages)

    def test_an_unknown_stage_is_refused(self):
        spec = json.loads(a_spec().model_dump_json())
        spec["stages"].append({"stage": "sharpen", "enabled": True})
        with pytest.raises(ValidationError, match="sharpen"):
            PreprocessSpec.model_validate(spec)

    def test_another_version_of_the_stages_is_refused(self):
        """The same parameters would give other pixels."""
        with pytest.raises(ValidationError, match="version"):
            PreprocessSpec(version=3, stages=(self.RESIZE,))


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (Resize, {"side_px": 31}),
        (Resize, {"side_px": 513}),
        (FieldOfView, {"enabled": True, "dark_share": 1.1, "smallest_side_share": 0.5}),
        (FieldOfView, {"enabled": True, "dark_share": 0.1, "smallest_side_share": 0.0}),
        (
            HairRemoval,
            {
                "enabled": True,
                "kernel_px": 2,
                "threshold_levels": 9,
                "shortest_px": 24,
                "thickest_px": 4.0,
                "densest_share": 0.15,
                "inpaint_radius_px": 2,
            },
        ),
        (Calibration, {"method": "platt", "scale": 0.0, "offset": 0.0}),
        (Calibration, {"method": "platt", "scale": math.nan, "offset": 0.0}),
        (Calibration, {"method": "platt", "scale": 1.0, "offset": math.inf}),
        (Calibration, {"method": "isotonic", "scale": 1.0, "offset": 0.0}),
        (OperatingPoint, {"benign_below": -0.1, "malignant_from": 0.5}),
        (OperatingPoint, {"benign_below": 0.1, "malignant_from": math.nan}),
        (Metric, {"value": math.nan, "low": 0.0, "high": 1.0}),
    ],
)
def test_a_value_out_of_range_is_refused(record, fields):
    with pytest.raises(ValidationError):
        record(**fields)


@pytest.mark.parametrize("field", ["parameters", "macs"])
def test_a_network_has_some_size(field):
    with pytest.raises(ValidationError, match=field):
        a_manifest(**{field: 0})


@pytest.mark.parametrize("tolerance", [0.0, 0.02])
def test_a_golden_case_has_a_tolerance_that_proves_something(tolerance):
    golden = a_manifest().golden.model_dump()
    golden["tolerance"] = tolerance
    with pytest.raises(ValidationError, match="tolerance"):
        GoldenCase(**golden)
