"""A box that says it is ready has done everything once."""

from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import cv2
import pytest

from device import compose
from device.board import BOARDS
from device.core.errors import SettingsError
from device.preprocess import pipeline
from device.settings import ModelSettings, PanelSettings
from tests.builders import a_model_file


@pytest.mark.parametrize(("module", "name"), [(cv2, "imdecode"), (pipeline, "resize_area")])
def test_loading_warms_up_decoding_and_the_working_copy(module, name, tmp_path, monkeypatch):
    """The first of each takes many times as long as the second."""
    real, sides = getattr(module, name), []

    def spy(*arguments):
        result_HWC = real(*arguments)
        sides.append(result_HWC.shape[0])
        return result_HWC

    monkeypatch.setattr(module, name, spy)
    classifier = compose.load_classifier(ModelSettings(path=a_model_file(tmp_path / "model.onnx")))
    assert max(sides) >= 4 * classifier.manifest.preprocess.side_px


@pytest.mark.parametrize(
    ("kind", "goes_on"),
    [(None, True), (SystemExit, True), (KeyboardInterrupt, True), (RuntimeError, False)],
)
def test_a_trial_goes_on_only_after_an_end_in_order(kind, goes_on):
    ended = []
    compose._end_trial(SimpleNamespace(end_begun=lambda: ended.append(True)), kind)
    assert bool(ended) is goes_on


@pytest.mark.parametrize("board", BOARDS)
def test_a_panel_has_the_lines_of_its_board(board):
    assert compose.panel_lines(PanelSettings(board=board)) == BOARDS[board].lines


def test_lines_that_are_set_take_the_place_of_the_boards():
    lines = compose.panel_lines(PanelSettings(board="pi4", chip="expander", blue="3"))
    assert lines == replace(BOARDS["pi4"].lines, chip="expander", blue="3")


def test_a_line_that_is_set_and_another_ones_default_is_refused():
    with pytest.raises(SettingsError, match="a line each for button, red, green and blue"):
        compose.panel_lines(PanelSettings(board="pi4", red=BOARDS["pi4"].lines.blue))


def test_every_kind_of_panel_but_none_can_be_made():
    kinds = get_args(PanelSettings.model_fields["kind"].annotation)
    assert {"none", *compose.PANELS} == set(kinds)
    for kind, make in compose.PANELS.items():
        assert make(PanelSettings(kind=kind, board="pi5")).name.startswith(kind)
