"""What a right configuration becomes: the example, defaults, overrides, secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_seg.bootstrap.servers import embedded_servers
from stream_seg.config import load
from stream_seg.config.environment import RESERVED, variables
from stream_seg.config.reference import reference
from stream_seg.config.settings import SecuritySettings
from stream_seg.core.definition import DAY, HOUR, MINUTE, Learning, Lever, Mapping
from stream_seg.errors import ConfigError

ROOT = Path(__file__).parents[2]
SMALL = "name: shop\nfeatures:\n- {name: orders, aggregate: count, window: 7d, tiles: 7}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "segmentation.yaml"
    file.write_text(SMALL)
    return file


def test_the_example_is_a_configuration_and_says_what_it_says() -> None:
    config = load(ROOT / "examples/segmentation.yaml", {})
    features = {feature.name: feature for feature in config.definition.features}
    assert len(features) == 11
    assert (features["orders_30d"].window, features["orders_30d"].tiles) == (30 * DAY, 10)
    assert features["spend_30d"].clip == (0.0, 5000.0)
    assert features["spend_30d"].log1p
    assert features["basket"].of == ("spend_30d", "orders_30d")
    assert features["basket"].quantile_clip == (0.01, 0.99)
    assert features["sessions_7d"].gap == 30 * MINUTE
    assert features["spend_7d"].role == "outcome"
    assert features["plan"].categories == ("free", "plus")
    assert config.definition.utc_offset == 120
    assert config.definition.levers == (
        Lever(
            segment=0,
            name="Regulars",
            lever="early access to new products",
            owner="crm@shop.example",
            question="Who comes back by itself?",
        ),
    )
    assert config.redis.memory == 2 << 30
    assert config.run.metrics_port == 9464


def test_what_is_left_out_has_the_documented_default(path: Path) -> None:
    config = load(path, {})
    assert config.definition.learning == Learning()
    assert config.definition.lateness == 7 * DAY
    assert config.definition.forget_after == 97 * DAY
    assert config.definition.evaluate_every == 5 * MINUTE
    assert config.kafka.bootstrap == ["127.0.0.1:9092"]
    assert config.run.bind == "127.0.0.1"


def test_every_unit_of_a_duration_is_read(path: Path) -> None:
    for text, ms in (("1500ms", 1500), ("30s", 30_000), ("90m", 90 * MINUTE), ("12h", 12 * HOUR), ("2w", 14 * DAY)):
        path.write_text(SMALL + f"segments: {{dwell: {text}}}\n")
        assert load(path, {}).definition.dwell == ms


@pytest.mark.parametrize("never", ["0s", "0"])
def test_no_refit_for_its_age_is_written_as_zero(path: Path, never: str) -> None:
    path.write_text(SMALL + f"segments: {{retrain_every: {never}}}\n")
    assert load(path, {}).definition.learning.retrain_every == 0


def test_the_order_of_transforms_does_not_matter(path: Path) -> None:
    one = SMALL + "- {name: a, aggregate: recency, transform: [log1p, {clip: [0, 9]}]}\n"
    other = SMALL + "- {name: a, aggregate: recency, transform: [{clip: [0, 9]}, log1p]}\n"
    path.write_text(one)
    first = load(path, {}).definition
    path.write_text(other)
    assert load(path, {}).definition == first


def test_a_mapping_and_the_topics_of_ingest_are_read(path: Path) -> None:
    path.write_text(
        SMALL
        + "input:\n  keyed_by_customer: false\n  clock: progress\n  topics: [web, app]\n"
        + "  mapping: {customer: user.id, time: at, time_format: epoch_ms, properties: {price: amount}}\n"
    )
    config = load(path, {})
    assert config.input_topics == ("web", "app")
    assert config.definition.input.mapping == Mapping(
        customer="user.id", time="at", time_format="epoch_ms", properties={"price": "amount"}
    )


def test_the_environment_overrides_the_file_and_the_command_line_overrides_both(path: Path) -> None:
    path.write_text(SMALL + "run: {workers: 2, max_batch: 10}\n")
    env = {"STREAM_SEG_RUN__WORKERS": "3", "STREAM_SEG_KAFKA__BOOTSTRAP": "a:1, b:2", "PATH": "/bin"}
    assert load(path, {}).run.workers == 2
    config = load(path, env)
    assert (config.run.workers, config.run.max_batch) == (3, 10)
    assert config.kafka.bootstrap == ["a:1", "b:2"]
    assert load(path, env, {("run", "workers"): 4}).run.workers == 4


def test_booleans_numbers_and_durations_are_read_from_the_environment(path: Path) -> None:
    env = {
        "STREAM_SEG_INPUT__KEYED_BY_CUSTOMER": "false",
        "STREAM_SEG_INPUT__CLOCK": "event",
        "STREAM_SEG_SEGMENTS__MARGIN": "0.25",
        "STREAM_SEG_SEGMENTS__DWELL": "2h",
    }
    definition = load(path, env).definition
    assert definition.input.keyed_by_customer is False
    assert (definition.margin, definition.dwell) == (0.25, 2 * HOUR)


def test_a_misspelt_variable_is_refused_and_those_reserved_for_tests_are_not(path: Path) -> None:
    load(path, dict.fromkeys(RESERVED, "x"))
    with pytest.raises(ConfigError, match="STREAM_SEG_KAFKA__BOTSTRAP: is not read by anything, did you mean"):
        load(path, {"STREAM_SEG_KAFKA__BOTSTRAP": "a:1"})
    with pytest.raises(ConfigError, match=r"STREAM_SEG_RUN__WORKERS: run\.workers: is empty"):
        load(path, {"STREAM_SEG_RUN__WORKERS": ""})


def test_features_and_levers_are_changed_in_the_file_only() -> None:
    assert not [name for name in variables() if "FEATURES" in name or "LEVERS" in name]


def test_secrets_come_from_files_and_the_environment_and_never_show(path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    security = SecuritySettings.model_validate({"protocol": "SASL_SSL", "password_file": str(secret)})
    assert security.secret == "hunter2"
    assert "hunter2" not in f"{security!r} {security.model_dump()}"
    path.write_text(SMALL + f"redis: {{password_file: {secret}}}\n")
    assert load(path, {}).redis.secret == "hunter2"
    path.write_text(SMALL)
    config = load(path, {"STREAM_SEG_REDIS__URL": "redis://bob:hunter2@db:6379/1"})
    assert (config.redis.url, config.redis.username) == ("redis://db:6379/1", "bob")
    assert config.redis.secret == "hunter2"
    assert "hunter2" not in f"{config!r} {config} {config.redis!r}"
    config = load(path, {"STREAM_SEG_REDIS__PASSWORD": "hunter2"})
    assert config.redis.secret == "hunter2"
    assert "hunter2" not in repr(config)


def test_a_password_given_twice_is_refused_without_showing_it(path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    path.write_text(SMALL + f"redis: {{password_file: {secret}}}\n")
    with pytest.raises(ConfigError, match="keep one of them") as caught:
        load(path, {"STREAM_SEG_REDIS__PASSWORD": "hunter3"})
    assert "hunter" not in str(caught.value)


def test_a_header_for_the_collector_comes_from_the_environment_or_a_file_and_is_never_shown(
    path: Path, tmp_path: Path
) -> None:
    secret, variable = tmp_path / "secret", "STREAM_SEG_RUN__TRACES_HEADER"
    secret.write_text("api-key: hunter2\n")
    config = load(path, {"STREAM_SEG_RUN__TRACES": "https://traces.example", variable: "Authorization: Bearer hunter2"})
    assert (config.run.traces, config.run.traces_headers) == (
        "https://traces.example",
        {"Authorization": "Bearer hunter2"},
    )
    assert "hunter2" not in repr(config)
    for wrong in ("hunter2", "a header: hunter2", "Authorization: hunter2\r\nX: 1", "Authorization:"):
        with pytest.raises(ConfigError, match="this is not a header, write it as") as caught:
            load(path, {variable: wrong})
        assert "hunter" not in str(caught.value)
    path.write_text(SMALL + f"run: {{traces_header_file: {secret}}}\n")
    assert load(path, {}).run.traces_headers == {"api-key": "hunter2"}
    with pytest.raises(ConfigError, match=f"{variable} is set too, keep one of them"):
        load(path, {variable: "Authorization: hunter3"})
    secret.write_text("hunter2")
    with pytest.raises(ConfigError, match="this is not a header") as caught:
        load(path, {})
    assert "hunter" not in str(caught.value)


def test_the_reference_page_is_what_the_code_says() -> None:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert page == reference(), "run: python -m stream_seg.config.reference > docs/configuration.md"


def test_the_reference_names_every_variable_and_every_key() -> None:
    page = reference()
    assert [name for name in [*variables(), *RESERVED] if f"`{name}`" not in page] == []


def test_a_broker_of_our_own_is_not_asked_by_name(tmp_path: Path) -> None:
    path = tmp_path / "segmentation.yaml"
    path.write_text("name: shop\nkafka: {security: {protocol: SSL}}\nfeatures: [{name: n, aggregate: tenure}]\n")
    with pytest.raises(ConfigError, match=r"kafka\.security: a broker of our own asks for none"):
        embedded_servers(load(path, {}))
