"""Alert rules and dashboard: every expression is PromQL about metrics that a box hands out."""

import json
import re
from pathlib import Path

import promql_parser
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/monitoring"
PAGE = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
FROM_OUTSIDE = {
    # Prometheus' own, and what its library says of every process.
    "up": {"job", "instance"},
    "process_resident_memory_bytes": {"job", "instance"},
    "process_cpu_seconds_total": {"job", "instance"},
}


def metrics():
    """Name of each sample to its labels; docs/metrics.md, which another test holds to the box."""
    found = dict(FROM_OUTSIDE)
    row = re.compile(r"^\| `(edgederm_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
    for name, kind, text in row.findall(PAGE):
        labels = {*re.findall(r"`(\w+)`", text), "instance", "job"}
        if kind == "histogram":
            found |= {f"{name}_sum": labels, f"{name}_count": labels}
            found[f"{name}_bucket"] = {*labels, "le"}
        else:
            found[name] = labels
    return found


METRICS = metrics()


def alerts():
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return group["rules"]


def panels():
    return json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]


def expressions():
    found = [pytest.param(rule["expr"], id=rule["alert"]) for rule in alerts()]
    for panel in panels():
        for target in panel["targets"]:
            # Grafana fills its variables in before Prometheus sees them.
            text = target["expr"].replace("$instance", "edgederm.local:8000")
            found.append(pytest.param(text, id=f"{panel['title']} {target['refId']}"))
    return found


def nodes(expression):
    """An expression and everything below it."""
    yield expression
    below = [
        getattr(expression, name, None)
        for name in ("lhs", "rhs", "expr", "param", "vector_selector", "vs")
    ]
    below += getattr(expression, "args", None) or []
    for one in below:
        if one is not None and not isinstance(one, str | int | float):
            yield from nodes(one)


def selectors(expression):
    return [node for node in nodes(expression) if isinstance(node, promql_parser.VectorSelector)]


@pytest.mark.parametrize("text", expressions())
def test_an_expression_is_promql_about_metrics_and_labels_that_are_there(text):
    expression = promql_parser.parse(text)
    chosen = selectors(expression)
    assert chosen, "an expression without a metric tells nothing"
    for selector in chosen:
        assert selector.name in METRICS
        used = {matcher.name for matcher in selector.matchers.matchers}
        assert used <= METRICS[selector.name]
    allowed = set().union(*(METRICS[selector.name] for selector in chosen))
    for node in nodes(expression):
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            assert set(node.modifier.labels) <= allowed


@pytest.mark.parametrize("text", expressions())
def test_counters_are_read_by_their_increase_and_nothing_else_is(text):
    for node in nodes(promql_parser.parse(text)):
        inside = [
            selector.name
            for selector in selectors(node)
            if selector.name.endswith(("_total", "_bucket", "_sum", "_count"))
        ]
        if isinstance(node, promql_parser.Call) and node.func.name in {"rate", "increase"}:
            assert inside
    bare = re.sub(r"(rate|increase)\([^()]*\)", "", text)
    assert not re.search(r"edgederm_\w+_(total|bucket|sum|count)\b", bare)


def test_the_walk_sees_a_metric_wherever_it_stands():
    """The test above would not fail for what it cannot see."""
    text = "sum by (a) (rate(one[5m])) / on (a) max(-two) > bool quantile(0.5, (three offset 5m))"
    assert {one.name for one in selectors(promql_parser.parse(text))} == {"one", "two", "three"}


def test_every_metric_of_a_box_is_on_the_dashboard():
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    missing = [name for name in METRICS if name != "up" and not re.search(rf"\b{name}\b", shown)]
    assert missing == []


def test_every_alert_is_described_says_what_to_do_and_has_a_name_of_its_own():
    described = dict(re.findall(r"^\| `(EdgeDerm\w+)` \| (\w+) \|", PAGE, re.MULTILINE))
    assert described == {rule["alert"]: rule["labels"]["severity"] for rule in alerts()}
    for rule in alerts():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert set(rule["annotations"]) == {"summary", "action"}
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "1m"))
    assert len({rule["alert"] for rule in alerts()}) == len(alerts())


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_a_sentence_names_only_labels_that_its_expression_keeps(rule):
    expression = promql_parser.parse(rule["expr"])
    kept = {"instance", "job"}
    for selector in selectors(expression):
        kept |= METRICS[selector.name]
    for node in nodes(expression):
        if isinstance(node, promql_parser.AggregateExpr):
            kept = set(node.modifier.labels) if node.modifier is not None else set()
    named = re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"]))
    assert set(named) <= kept


def test_codes_and_outcomes_that_alerts_wait_for_exist():
    from device.api.problems import KINDS
    from device.board.health import _FLAGS
    from device.core.panel import PressOutcome
    from device.core.values import Result

    known = {
        "code": set(KINDS),
        "outcome": {one.value for one in PressOutcome},
        "result": {one.value for one in Result},
        "flag": set(_FLAGS),
        "stage": {"total"},
        "job": {"edgederm"},
    }
    for rule in alerts():
        for selector in selectors(promql_parser.parse(rule["expr"])):
            for matcher in selector.matchers.matchers:
                assert set(matcher.value.split("|")) <= known[matcher.name], rule["alert"]


def test_no_two_panels_lie_on_each_other():
    taken = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())
    assert all(panel["title"] for panel in panels())


def test_the_scrape_configuration_is_for_the_boxs_job_role_and_file():
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "edgederm"
    assert job["scheme"] == "https"
    assert job["authorization"]["type"] == "Bearer"
    assert "insecure_skip_verify" not in job["tls_config"]
    assert "edgederm-alerts.yml" in config["rule_files"]
    assert "edgederm-alerts.yml" in PAGE
