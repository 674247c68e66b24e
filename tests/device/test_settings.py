"""What the owner may set is understood whole or refused whole, and secrets stay secret."""

import os
import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError

from device.core.errors import SettingsError
from device.settings import PACKAGE, Settings, load_settings

pytestmark = pytest.mark.portable

TOKEN = "correct-horse-battery"
STATE = Path("/home/box/.local/state/edgederm")

# Every key: what it is by default, and how another value is written in TOML, in the environment,
# and read back.
KEYS = [
    ("camera", "kind", "replay", '"v4l2"', "v4l2", "v4l2"),
    (
        "camera",
        "path",
        PACKAGE / "samples",
        '"/srv/pictures"',
        "/srv/pictures",
        Path("/srv/pictures"),
    ),
    ("camera", "device", "/dev/video0", '"/dev/video2"', "/dev/video2", "/dev/video2"),
    ("camera", "index", 0, "1", "1", 1),
    ("camera", "width_px", 2028, "1920", "1920", 1920),
    ("camera", "height_px", 1520, "1080", "1080", 1080),
    ("camera", "timeout_s", 5.0, "2.5", "2.5", 2.5),
    ("panel", "kind", "none", '"gpiod"', "gpiod", "gpiod"),
    ("panel", "board", "auto", '"pi5"', "pi5", "pi5"),
    ("panel", "chip", None, '"pinctrl-rp1"', "pinctrl-rp1", "pinctrl-rp1"),
    ("panel", "button", None, '"GPIO5"', "GPIO5", "GPIO5"),
    ("panel", "red", None, '"6"', "6", "6"),
    ("panel", "green", None, '"GPIO12"', "GPIO12", "GPIO12"),
    ("panel", "blue", None, '"GPIO13"', "GPIO13", "GPIO13"),
    ("panel", "led_active_low", False, "true", "true", True),
    ("panel", "debounce_ms", 20, "5", "5", 5),
    ("panel", "answer_s", 30.0, "10.0", "10", 10.0),
    ("server", "host", "127.0.0.1", '"::1"', "::1", "::1"),
    ("server", "port", 8000, "0", "0", 0),
    ("server", "token", None, f'"{TOKEN}"', TOKEN, TOKEN),
    ("server", "max_upload_bytes", 16 * 2**20, "1024", "1024", 1024),
    ("server", "queue_length", 4, "64", "64", 64),
    ("model", "path", PACKAGE / "models/student.onnx", '"m.onnx"', "m.onnx", Path("m.onnx")),
    ("model", "threads", 1, "2", "2", 2),
    ("picture", "max_pixels", 25_000_000, "200000000", "200000000", 200_000_000),
    ("history", "path", STATE, '"/srv/state"', "/srv/state", Path("/srv/state")),
    ("history", "keep_pictures", False, "true", "true", True),
    ("history", "picture_px", 1024, "2048", "2048", 2048),
    ("history", "keep_days", 365, "0", "0", 0),
    ("history", "keep_bytes", 2**30, "1048576", "1048576", 2**20),
]
NAMES = [f"{section}.{key}" for section, key, *_ in KEYS]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith("EDGEDERM_")]:
        monkeypatch.delenv(name)
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/box")


@pytest.fixture
def write(tmp_path):
    """Write a settings file and return its path."""

    def write(text: str) -> Path:
        path = tmp_path / "edgederm.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def value(settings: Settings, section: str, key: str):
    found = getattr(getattr(settings, section), key)
    return found.get_secret_value() if hasattr(found, "get_secret_value") else found


def test_every_key_stands_in_the_table_of_these_tests():
    known = {
        f"{section}.{key}"
        for section, field in Settings.model_fields.items()
        for key in field.annotation.model_fields
    }
    assert known == set(NAMES)


@pytest.mark.parametrize(("section", "key", "default", "toml", "env", "read"), KEYS, ids=NAMES)
class TestEachKey:
    def test_has_a_default(self, section, key, default, toml, env, read):
        assert value(load_settings(), section, key) == default

    def test_is_read_from_the_file(self, write, section, key, default, toml, env, read):
        settings = load_settings(write(f"[{section}]\n{key} = {toml}\n"))
        assert value(settings, section, key) == read

    def test_is_read_from_the_environment(
        self, monkeypatch, section, key, default, toml, env, read
    ):
        monkeypatch.setenv(f"EDGEDERM_{section}__{key}".upper(), env)
        assert value(load_settings(), section, key) == read

    def test_is_frozen(self, section, key, default, toml, env, read):
        settings = load_settings()
        with pytest.raises(ValidationError, match="frozen"):
            setattr(getattr(settings, section), key, read)
        with pytest.raises(ValidationError, match="frozen"):
            setattr(settings, section, None)


def test_the_environment_wins_key_by_key(write, monkeypatch):
    path = write('[camera]\nkind = "v4l2"\ntimeout_s = 3.0\n[server]\nport = 9000\n')
    monkeypatch.setenv("EDGEDERM_CAMERA__TIMEOUT_S", "1.5")
    settings = load_settings(path)
    assert settings.camera.kind == "v4l2"
    assert settings.camera.timeout_s == 1.5
    assert settings.server.port == 9000


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[camera]\ndevise = 1\n", "camera.devise"),
        ("[lamp]\non = true\n", "lamp"),
        ("port = 1\n", "port"),
        ('_env_prefix = "OTHER_"\n', "_env_prefix"),
    ],
)
def test_an_unknown_key_is_refused_by_name(write, text, named):
    with pytest.raises(
        SettingsError, match=f"settings refused:\n  {named}: (Extra inputs|unknown)"
    ):
        load_settings(write(text))


@pytest.mark.parametrize(
    "name", ["EDGEDERM_SERVER__PROT", "EDGEDERM_PORT", "EDGEDERM_CAMERA", "EDGEDERM_"]
)
def test_an_unknown_variable_is_refused_and_the_known_are_listed(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert f"unknown environment variables {name};" in str(caught.value)
    assert "EDGEDERM_SERVER__PORT" in str(caught.value)


def test_variables_of_others_are_left_alone(monkeypatch):
    monkeypatch.setenv("EDGE_PORT", "1")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    "text",
    [
        '[camera]\nkind = "webcam"\n',
        "[camera]\nindex = -1\n",
        "[camera]\nwidth_px = 1921\n",
        "[camera]\nheight_px = 100\n",
        "[camera]\ntimeout_s = 0\n",
        "[camera]\ntimeout_s = nan\n",
        "[camera]\ntimeout_s = 61\n",
        '[panel]\nkind = "lamp"\n',
        '[panel]\nboard = "pi3"\n',
        '[panel]\nbutton = ""\n',
        '[panel]\nred = "GPIO 22"\n',
        "[panel]\ndebounce_ms = 0\n",
        "[panel]\nanswer_s = 4\n",
        "[server]\nport = 65536\n",
        "[server]\nmax_upload_bytes = 1023\n",
        "[server]\nqueue_length = 0\n",
        "[model]\nthreads = 17\n",
        "[picture]\nmax_pixels = 200_000_001\n",
        "[history]\npicture_px = 255\n",
        "[history]\nkeep_days = -1\n",
        "[history]\nkeep_bytes = 1048575\n",
    ],
)
def test_a_value_out_of_range_is_refused_by_name(write, text):
    section, key = text.split("\n")[0].strip("[]"), text.split("\n")[1].split(" ")[0]
    with pytest.raises(SettingsError, match=rf"\n  {section}\.{key}: "):
        load_settings(write(text))


def test_button_and_leds_have_a_line_each(write):
    with pytest.raises(
        SettingsError, match=r"panel: .*GPIO17, GPIO17; give button and LEDs a line"
    ):
        load_settings(write('[panel]\nbutton = "GPIO17"\nred = "GPIO17"\n'))


def test_all_that_is_wrong_is_listed_at_once(write):
    with pytest.raises(SettingsError) as caught:
        load_settings(write("[camera]\nindex = -1\n[model]\nthreads = 0\nspeed = 1\n"))
    assert [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:]] == [
        "camera.index",
        "model.threads",
        "model.speed",
    ]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"cannot read .*none\.toml \(No such file or direct"):
        load_settings(tmp_path / "none.toml")


@pytest.mark.parametrize("content", [b"[camera\n", b"\xff\xfe", b"camera\n"])
def test_what_is_no_toml_is_named(tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"broken\.toml is not TOML: "):
        load_settings(path)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_needs_no_token(write, host):
    assert load_settings(write(f'[server]\nhost = "{host}"\n')).server.is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.local", ""])  # noqa: S104
class TestBeyondLoopback:
    def test_a_token_is_required(self, write, host):
        with pytest.raises(SettingsError, match="no token is set; set EDGEDERM_SERVER__TOKEN or"):
            load_settings(write(f'[server]\nhost = "{host}"\n'))

    def test_with_a_token_it_is_allowed(self, write, monkeypatch, host):
        monkeypatch.setenv("EDGEDERM_SERVER__TOKEN", TOKEN)
        server = load_settings(write(f'[server]\nhost = "{host}"\n')).server
        assert not server.is_loopback
        assert server.token.get_secret_value() == TOKEN


@pytest.mark.parametrize("token", ["", "fifteen-letters"])
def test_a_token_that_can_be_guessed_is_refused(monkeypatch, token):
    monkeypatch.setenv("EDGEDERM_SERVER__TOKEN", token)
    with pytest.raises(SettingsError, match=r"server: .*token: expected at least 16 characters"):
        load_settings()


@pytest.mark.parametrize(
    "token",
    [
        f"{TOKEN}\n",
        f" {TOKEN}",
        f"{TOKEN}\t",
        "correct horse battery",
        f"{TOKEN}\x7f",
        f"{TOKEN}\xa0",
        f"{TOKEN}\u200b",
        f"{TOKEN}\udcff",
    ],
)
def test_a_token_that_no_client_could_send_is_refused(monkeypatch, token):
    monkeypatch.setenv("EDGEDERM_SERVER__TOKEN", token)
    with pytest.raises(SettingsError, match=r"token: expected visible characters alone") as refused:
        load_settings()
    assert TOKEN not in str(refused.value)


def test_the_token_is_never_printed(monkeypatch):
    monkeypatch.setenv("EDGEDERM_SERVER__TOKEN", TOKEN)
    settings = load_settings()
    for text in (str(settings), repr(settings), settings.model_dump_json(), f"{settings.server}"):
        assert TOKEN not in text


@pytest.mark.parametrize(
    "text",
    [
        f'[server]\ntoken = "{TOKEN}"\nport = -1\n',
        f'[server]\ntoken = "{TOKEN}"\ntypo = 1\n',
        f'[server]\ntoken = "{TOKEN}"\nport = \n',
        pytest.param(f'[server]\ntoken = ["{TOKEN}"]\n'),
        pytest.param('[server]\ntoken = "guess-me"\n'),
    ],
)
def test_a_refusal_does_not_print_the_token_not_even_in_a_traceback(write, text):
    with pytest.raises(SettingsError) as caught:
        load_settings(write(text))
    printed = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in printed
    assert "guess-me" not in printed


def test_the_state_directory_is_the_services_if_there_is_one(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/home/box/state")
    assert load_settings().history.path == Path("/home/box/state/edgederm")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/edgederm:/var/lib/other")
    assert load_settings().history.path == Path("/var/lib/edgederm")


def test_a_user_without_a_home_has_the_systems_state_directory(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert load_settings().history.path == Path("/var/lib/edgederm")
