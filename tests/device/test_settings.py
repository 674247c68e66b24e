"""What the owner may set is understood whole or refused whole, and secrets stay secret."""

import os
import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError

from device.core.errors import SettingsError
from device.settings import PACKAGE, Settings, load_settings

pytestmark = pytest.mark.portable

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
    ("camera", "pipeline", None, '"x ! appsink"', "x ! appsink", "x ! appsink"),
    ("camera", "burst_frames", 3, "1", "1", 1),
    ("camera", "stuck_exit_s", 120.0, "0", "0", 0.0),
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
    ("server", "names", (), '["box.clinic"]', '["box.clinic"]', ("box.clinic",)),
    ("server", "require_token", False, "true", "true", True),
    ("server", "state_path", STATE, '"/srv/state"', "/srv/state", Path("/srv/state")),
    ("server", "tls", "auto", '"off"', "off", "off"),
    ("server", "max_upload_bytes", 16 * 2**20, "1024", "1024", 1024),
    ("server", "queue_length", 4, "64", "64", 64),
    ("model", "path", None, '"m.onnx"', "m.onnx", Path("m.onnx")),
    ("model", "state_path", STATE, '"/srv/state"', "/srv/state", Path("/srv/state")),
    ("model", "keys_path", Path("/etc/edgederm/keys"), '"/k"', "/k", Path("/k")),
    ("model", "trial_s", 600.0, "0", "0", 0.0),
    ("model", "threads", 1, "2", "2", 2),
    ("model", "provider", "cpu", '"cuda"', "cuda", "cuda"),
    ("model", "provider_fallback", True, "false", "false", False),
    ("picture", "max_pixels", 25_000_000, "200000000", "200000000", 200_000_000),
    ("history", "path", STATE, '"/srv/state"', "/srv/state", Path("/srv/state")),
    ("history", "keep_pictures", False, "true", "true", True),
    ("history", "picture_px", 1024, "2048", "2048", 2048),
    ("history", "keep_days", 365, "0", "0", 0),
    ("history", "keep_bytes", 2**30, "1048576", "1048576", 2**20),
    ("clock", "settable", False, "true", "true", True),
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
    # These two come together, see below.
    assert known == {*NAMES, "server.certificate", "server.key"}


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


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.local", ""])  # noqa: S104 - nothing listens
def test_beyond_loopback_the_box_asks_for_tokens_and_speaks_tls(write, host):
    server = load_settings(write(f'[server]\nhost = "{host}"\n')).server
    assert not server.is_loopback
    assert server.is_token_needed
    assert server.is_secure
    server = load_settings(write(f'[server]\nhost = "{host}"\ntls = "off"\n')).server
    assert server.is_token_needed
    assert not server.is_secure


def test_on_loopback_tokens_and_tls_are_there_for_whoever_wants_them(write):
    assert not load_settings().server.is_token_needed
    assert not load_settings().server.is_secure
    server = load_settings(write('[server]\nrequire_token = true\ntls = "on"\n')).server
    assert server.is_token_needed
    assert server.is_secure


@pytest.mark.parametrize(("value", "word"), [("true", "on"), ("false", "off")])
def test_tls_takes_what_yaml_makes_of_its_words(write, value, word):
    assert load_settings(write(f"[server]\ntls = {value}\n")).server.tls == word


def test_certificate_and_key_come_together(write):
    both = 'certificate = "/etc/box.pem"\nkey = "/etc/box.key"\n'
    server = load_settings(write(f'[server]\ntls = "on"\n{both}')).server
    assert (server.certificate, server.key) == (Path("/etc/box.pem"), Path("/etc/box.key"))
    with pytest.raises(SettingsError, match="expected certificate and key together"):
        load_settings(write('[server]\ntls = "on"\ncertificate = "/etc/box.pem"\n'))
    with pytest.raises(SettingsError, match="found a certificate, but TLS is off"):
        load_settings(write(f"[server]\n{both}"))


@pytest.mark.parametrize(
    "name", ["", "box:8000", "http://box", "box/", "-box", "box-", "a..b", "*", "a b", "x" * 254]
)
def test_a_name_that_no_browser_would_send_is_refused(write, name):
    with pytest.raises(SettingsError, match=r"server\.names\.0: "):
        load_settings(write(f'[server]\nnames = ["{name}"]\n'))


@pytest.mark.parametrize(
    "text",
    [
        '[server]\nport = "guess-me"\n',
        '[server]\ntoken = "guess-me"\n',
        '[camera]\nindex = ["guess-me"]\n',
    ],
)
def test_a_refusal_does_not_print_values_not_even_in_a_traceback(write, text):
    """Somebody may have put a secret where none belongs."""
    with pytest.raises(SettingsError) as caught:
        load_settings(write(text))
    assert "guess-me" not in "".join(traceback.format_exception(caught.value))


def test_the_state_directory_is_the_services_if_there_is_one(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/home/box/state")
    assert load_settings().history.path == Path("/home/box/state/edgederm")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/edgederm:/var/lib/other")
    assert load_settings().history.path == Path("/var/lib/edgederm")


def test_a_user_without_a_home_has_the_systems_state_directory(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert load_settings().history.path == Path("/var/lib/edgederm")
