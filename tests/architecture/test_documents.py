"""What a user can set, type or ask for stands in the documents."""

import re
import tomllib
from pathlib import Path

from device import __version__
from device.cli import VERBS
from device.commands import history, model, token
from device.settings import Settings

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented():
    page = (ROOT / "docs/settings.md").read_text()
    keys = [
        f"`{section}.{key}`"
        for section, field in Settings.model_fields.items()
        for key in field.annotation.model_fields
    ]
    assert [key for key in keys if key not in page] == []


def test_every_verb_of_the_device_is_in_the_readme():
    page = (ROOT / "README.md").read_text()
    assert [verb for verb in VERBS if f"python -m device {verb}" not in page] == []


def test_every_word_after_a_verb_is_in_its_guide():
    guides = {"history": history, "model": model, "token": token}
    pages = {"history": "history", "model": "model-updates", "token": "security"}
    missing = [
        f"{verb} {word}"
        for verb, commands in guides.items()
        for word in commands.VERBS
        if not re.search(rf"`?{verb} {word}\b", (ROOT / f"docs/{pages[verb]}.md").read_text())
    ]
    assert missing == []


def test_every_verb_of_the_training_is_in_the_readme_or_a_guide():
    """Read, not imported: its libraries are not everywhere where this test runs."""
    source = (ROOT / "training/cli.py").read_text()
    verbs = re.findall(r"^@app\.command\([^@]*?^def (\w+)", source, re.MULTILINE | re.DOTALL)
    assert len(verbs) > 9
    names = ("README.md", "docs/training.md", "docs/ablation.md")
    pages = "".join((ROOT / name).read_text() for name in names)
    assert [
        verb for verb in verbs if not re.search(rf"training {verb}\b|train-{verb}", pages)
    ] == []


def test_links_between_documents_lead_somewhere():
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("device/**/*.md")]
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_package_knows_its_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
