"""Each kind of mistake in a configuration is told with its exact place and a remedy; all of them in one go."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_seg.config import load
from stream_seg.errors import ConfigError

HEAD = "name: shop\nfeatures:\n- name: orders\n  aggregate: count\n  window: 7d\n  tiles: 7\n"  # six lines


def told(path: Path, text: str | bytes, env: dict[str, str] | None = None) -> list[str]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load(path, env or {})
    return [line.removeprefix(f"{path}:").removeprefix(str(path)) for line in caught.value.problems]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "segmentation.yaml"


FEATURE_MISTAKES = [
    ("- {name: 7up, aggregate: count, window: 7d, tiles: 7}", "7:10: features[1].name: `7up` cannot be used"),
    ("- {name: 7, aggregate: count, window: 7d, tiles: 7}", "7:10: features[1].name: expected text, got `7`, put it"),
    ("- {aggregate: recency}", "7:3: features[1].name: is missing, add it"),
    ("- {name: a}", "7:3: features[1].aggregate: is missing, add it"),
    ("- {name: a, aggregate: cuont}", "7:24: features[1].aggregate: `cuont` is not known here, did you mean `count`?"),
    ("- {name: orders, aggregate: recency}", "7:10: features[1].name: `orders` is taken by features[0]"),
    ("- {name: a, aggregate: recency, wher: x}", "7:33: features[1].wher: is not a key here, did you mean `where`?"),
    ("- {name: a, aggregate: recency, where: }", "7:33: features[1].where: is empty"),
    ("- {name: a, aggregate: count}", "7:3: features[1].window: is missing, `count` needs it"),
    ("- {name: a, aggregate: sum, window: 8d}", "7:3: features[1].field: is missing, `sum` needs it"),
    ("- {name: a, aggregate: decayed_sum}", "7:3: features[1].half_life: is missing, `decayed_sum` needs it"),
    ("- {name: a, aggregate: sessions, window: 8d}", "7:3: features[1].gap: is missing, `sessions` needs it"),
    ("- {name: a, aggregate: ratio}", "7:3: features[1].of: is missing, `ratio` needs it"),
    ("- {name: a, aggregate: recency, window: 8d}", "7:33: features[1].window: does not belong to `recency`"),
    ("- {name: a, aggregate: count, window: 8d, gap: 1m}", "7:43: features[1].gap: does not belong to `count`"),
    ("- {name: a, aggregate: count, window: 7}", "7:39: features[1].window: `7` has no unit, write for example 7s"),
    ("- {name: a, aggregate: count, window: 7 days}", "7:39: features[1].window: `7 days` is not a duration"),
    ("- {name: a, aggregate: count, window: 1.5h}", "7:39: features[1].window: `1.5h` is not a duration"),
    ("- {name: a, aggregate: count, window: true}", "7:39: features[1].window: true is not a duration"),
    ("- {name: a, aggregate: count, window: -7d}", "7:39: features[1].window: `-7d` is not a duration"),
    ("- {name: a, aggregate: count, window: 0s}", "7:39: features[1].window: `0s` is out of range, use 1s to 3660d"),
    (
        "- {name: a, aggregate: count, window: 100s, tiles: 7}",
        "7:39: features[1].window: 100s cannot be cut into 7 whole tiles of milliseconds, use tiles: 8",
    ),
    ("- {name: a, aggregate: count, window: 2s}", "7:39: features[1].window: 2s in 8 tiles is less than 1s a tile"),
    ("- {name: a, aggregate: count, window: 8d, tiles: 0}", "7:50: features[1].tiles: 0 is out of range, use 1 to 400"),
    ("- {name: a, aggregate: distinct_days, window: 36h}", "7:47: features[1].window: 36h is not whole days"),
    ("- {name: a, aggregate: distinct_days, window: 401d}", "7:47: features[1].window: 401d is out of range"),
    ("- {name: a, aggregate: latest, field: price}", "7:39: features[1].field: price is not a field of an event"),
    (
        "- {name: a, aggregate: latest, field: traits.plan, encode: one_hot}",
        "7:3: features[1].categories: is missing, `encode: one_hot` needs the list",
    ),
    (
        "- {name: a, aggregate: latest, field: traits.plan, categories: [x]}",
        "7:52: features[1].categories: is not used, add `encode: one_hot`",
    ),
    (
        "- {name: a, aggregate: latest, field: traits.plan, encode: hashed, categories: [x]}",
        "7:68: features[1].categories: is not used, take it out, `hashed` needs no list",
    ),
    (
        "- {name: a, aggregate: latest, field: traits.plan, encode: onehot, categories: [x]}",
        "7:60: features[1].encode: `onehot` is not known here, did you mean `one_hot`?",
    ),
    (
        "- {name: a, aggregate: latest, field: traits.plan, encode: ordinal, categories: [x, y, x]}",
        "7:81: features[1].categories: `x` is listed 2 times",
    ),
    (
        "- {name: a, aggregate: latest, field: traits.plan, encode: one_hot, categories: [x, 3]}",
        "7:85: features[1].categories[1]: expected text, got `3`, put it in quotes",
    ),
    (
        "- {name: a, aggregate: latest, field: traits.plan, buckets: 4}",
        "7:52: features[1].buckets: is only for `encode: hashed`",
    ),
    (
        "- {name: a, aggregate: latest, field: traits.plan, encode: hashed, transform: log1p}",
        "7:68: features[1].transform: a category has no amount",
    ),
    ("- {name: a, aggregate: ratio, of: [orders]}", "7:35: features[1].of: needs the names of two features"),
    (
        "- {name: a, aggregate: ratio, of: [orders, ordrs]}",
        "7:44: features[1].of[1]: no feature is called `ordrs`, did",
    ),
    ("- {name: a, aggregate: ratio, of: [a, orders]}", "7:36: features[1].of[0]: `a` is this feature itself"),
    (
        "- {name: a, aggregate: ratio, of: [orders, b]}\n- {name: b, aggregate: recency}",
        "7:44: features[1].of[1]: `b` is declared later, move it up",
    ),
    (
        "- {name: b, aggregate: recency}\n- {name: a, aggregate: trend, of: [b, orders]}",
        "8:36: features[2].of[0]: `b` has no window",
    ),
    ("- {name: a, aggregate: trend, of: [orders, orders]}", "7:35: features[1].of: 7d is not shorter than 7d"),
    (
        "- {name: b, aggregate: latest, field: type, encode: hashed}\n- {name: a, aggregate: ratio, of: [orders, b]}",
        "8:44: features[2].of[1]: `b` is a category",
    ),
    (
        "- {name: b, aggregate: recency}\n- {name: a, aggregate: projection, of: [orders, b]}",
        "8:3: features[2].weights: is missing, `projection` needs it",
    ),
    (
        "- {name: b, aggregate: recency}\n- {name: a, aggregate: projection, of: [orders, b], weights: [1, x]}",
        "8:62: features[2].weights: needs a number for each feature in `of`",
    ),
    (
        "- {name: b, aggregate: recency}\n- {name: a, aggregate: projection, of: [orders, b], weights: [1, 2, 3]}",
        "8:62: features[2].weights: there are 3 for the 2 features of `of`, give each its weight",
    ),
    (
        "- {name: a, aggregate: diversity, of: [orders, orders]}",
        "7:48: features[1].of[1]: `orders` is there already, its share would count twice",
    ),
    (
        "- {name: b, aggregate: recency}\n- {name: a, aggregate: diversity, of: [orders, b], weights: [1, 2]}",
        "8:52: features[2].weights: does not",
    ),
    (
        "- {name: b, aggregate: recency}\n- {name: a, aggregate: ratio, of: [orders, b, orders]}",
        "8:35: features[2].of: `ratio` compares two features, not 3: leave two",
    ),
    (
        "- {name: a, aggregate: recency, transform: log}",
        "7:44: features[1].transform[0]: `log` is not a transform, did",
    ),
    ("- {name: a, aggregate: recency, transform: [clip]}", "7:45: features[1].transform[0]: `clip` needs its bounds"),
    (
        "- {name: a, aggregate: recency, transform: [{clip: [3, 1]}]}",
        "7:45: features[1].transform[0]: `clip` goes from 3 to 1",
    ),
    (
        "- {name: a, aggregate: recency, transform: [{clip: [0, .inf]}]}",
        "7:45: features[1].transform[0]: `clip` needs two numbers",
    ),
    (
        "- {name: a, aggregate: recency, transform: [log1p, {quantile_clip: [0.01, 99]}]}",
        "7:52: features[1].transform[1]: the quantiles 0.01 and 99 are out of range, use 0 to 1",
    ),
    ("- {name: a, aggregate: recency, transform: [log1p, log1p]}", "7:44: features[1].transform: has `log1p` 2 times"),
    (
        "- {name: a, aggregate: recency, role: outcome, transform: log1p}",
        "7:48: features[1].transform: an outcome never enters the distance",
    ),
    ("- {name: a, aggregate: recency, empty: .nan}", "7:40: features[1].empty: nan is not a finite number"),
    ("- {name: a, aggregate: recency, words: {high: much}}", "7:33: features[1].words.low: is missing, add it"),
    ("- {name: a, aggregate: [count]}", "7:24: features[1].aggregate: a list is not known here"),
    ("- recency", "7:3: features[1]: expected `key: value` lines, got `recency`"),
]


@pytest.mark.parametrize(
    ("feature", "line"), FEATURE_MISTAKES, ids=[line.partition(": ")[2] for _, line in FEATURE_MISTAKES]
)
def test_a_mistake_in_a_feature_is_told_with_its_place_and_nothing_else_is_told(
    path: Path, feature: str, line: str
) -> None:
    problems = told(path, HEAD + feature)
    assert [problem[: len(line)] for problem in problems] == [line]


WHERES = [
    ('- {name: a, aggregate: recency, where: \'event == "a" und type == "track"\'}', "7:54", ""),
    ('- {name: a, aggregate: recency, where: "event == \\"a\\" und type"}', "7:56", ""),
    ('- name: a\n  aggregate: recency\n  where: |\n    event == "a"\n    und type == "track"', "11:5", ""),
]


@pytest.mark.parametrize(("feature", "place"), [(w[0], w[1]) for w in WHERES], ids=["single", "double", "block"])
def test_a_mistake_in_a_condition_is_told_at_its_column_inside_the_quoted_text(
    path: Path, feature: str, place: str
) -> None:
    (problem,) = told(path, HEAD + feature)
    assert problem.startswith(f"{place}: features[1].where: ")


SECTION_MISTAKES = [
    ("segments: {k: 1}", "7:15: segments.k: 1 is out of range, use 2 to 64"),
    ("segments: {k: '6'}", "7:15: segments.k: expected a whole number, got `6`, take it out of the quotes"),
    ("segments: {k: 6.5}", "7:15: segments.k: expected a whole number, got `6.5`"),
    ("segments: {k: true}", "7:15: segments.k: expected a whole number, got true"),
    ("segments: {margin: 1}", "7:20: segments.margin: 1 is out of range, use 0 to below 1"),
    ("segments: {margin: .nan}", "7:20: segments.margin: nan is not a finite number"),
    ("segments: {options: {halflife: fast}}", "7:32: segments.options.halflife: expected a number, got `fast`"),
    (
        "segments: {options: {nonsense: 9}}",
        "7:22: segments.options.nonsense: is no option of the learner `keyed`, which has none: take it out",
    ),
    (
        "segments: {learner: river, options: {halflive: 0.1}}",
        "7:38: segments.options.halflive: is no option of the learner `river`, did you mean `halflife`?",
    ),
    (
        "segments:\n  learner: river\n  options:\n    nonsense: 9",
        "10:5: segments.options.nonsense: is no option of the learner `river`, use one of: halflife",
    ),
    (
        "segments: {learner: river, options: {halflife: 9}}",
        "7:48: segments.options.halflife: 9 is out of range, use 0.0001 to 1",
    ),
    ("segments: {learner: river, options: {halflife: fast}}", "7:48: segments.options.halflife: expected a number"),
    ("segments: {learner: revir, options: {halflife: 9}}", "7:21: segments.learner: `revir` is no learner, did you"),
    ("segments:\n  k: 3\n  k: 4", "9:3: segments.k: given twice (first in line 8)"),
    ("segments: [k]", "7:11: segments: expected `key: value` lines, got a list"),
    ("segments:", "7:1: segments: is empty"),
    ("sements: {k: 3}", "7:1: sements: is not a key here, did you mean `segments`?"),
    ("time: {utc_offset: 2}", '7:20: time.utc_offset: `2` is not an offset from UTC, write it as "+02:00"'),
    ("time: {utc_offset: +25:00}", "7:20: time.utc_offset: `+25:00` is not an offset"),
    ("time: {forget_after: 6d}", "7:22: time.forget_after: 6d is shorter than the longest window, use 7d or more"),
    ("segments: {retrain_every: 30s}", "7:27: segments.retrain_every: `30s` is out of range, use 1m to 3660d, or 0s"),
    ("time: {learn_every: 1s}", "7:21: time.learn_every: `1s` is out of range, use 1m to 3660d"),
    ("input: {clock: wall}", "7:16: input.clock: `wall` is not known here, use one of: append, progress, event"),
    ("input: {keyed_by_customer: yes}", "7:28: input.keyed_by_customer: expected true or false, got `yes`"),
    (
        "input: {keyed_by_customer: false, topics: [web]}",
        "7:8: input.clock: `append` needs `keyed_by_customer: true`",
    ),
    ("input: {keyed_by_customer: false, clock: append}", "7:42: input.clock: `append` needs `keyed_by_customer: true`"),
    ("input: {clock: progress}", "7:16: input.clock: `progress` comes from `ingest`"),
    ("input: {keyed_by_customer: false, clock: progress}", "7:1: input.topics: is missing, name the product topics"),
    ("input: {topics: [web]}", "7:9: input.topics: is only for `keyed_by_customer: false`"),
    ("input: {mapping: {customer: id}}", "7:9: input.mapping.time: is missing, add it"),
    (
        "input: {mapping: {customer: id, time: at, time_zone: Europe/Berlln}}",
        "7:54: input.mapping.time_zone: `Europe/Berlln` is not a time zone, did you mean `Europe/Berlin`?",
    ),
    ("levers: [{segment: -1}]", "7:20: levers[0].segment: -1 is out of range, use 0 to 1000000"),
    ("levers: [{segment: 1}, {segment: 1}]", "7:34: levers[1].segment: 1 is taken by levers[0]"),
    ("levers: {segment: 1}", "7:9: levers: expected a list, got a mapping, begin each entry with `- `"),
    ("kafka: {bootstrap: localhost}", "7:20: kafka.bootstrap: `localhost` is not an address, write host:port"),
    ("kafka: {bootstrap: ['a:1', 'b:x']}", "7:28: kafka.bootstrap[1]: `b:x` is not an address"),
    ("kafka: {partitions: 0}", "7:21: kafka.partitions: 0 is out of range, use 1 to 10000"),
    (
        "kafka: {security: {mechanism: PLAIN}}",
        "7:20: kafka.security.mechanism: is only for SASL, take it out",
    ),
    (
        "kafka: {security: {ca_file: /nowhere.pem}}",
        "7:20: kafka.security.ca_file: is only for TLS, take it out",
    ),
    (
        "kafka: {security: {password: hunter2}}",
        "7:20: kafka.security.password: is only for SASL",
    ),
    (
        "redis: {password: hunter2}",
        "7:9: redis.password: a secret in the file, use `password_file` or STREAM_SEG_REDIS",
    ),
    ("redis: {url: 'redis://:hunter2@db:1'}", "7:14: redis.url: a secret in the file, use"),
    ("redis: {url: 'redis://db:1?password=hunter2'}", "7:14: redis.url: a secret among its arguments"),
    ("redis: {url: db:6379}", "7:14: redis.url: is not a Redis URL, write redis://host:port/0"),
    ("redis: {url: 'redis://db:port'}", "7:14: redis.url: is not a Redis URL"),
    ("redis: {password_file: hunter2}", "7:24: redis.password_file: the file cannot be read"),
    ("redis: {memory: 2}", "7:17: redis.memory: `2` is not an amount of memory, write for example 512mb"),
    ("run: {metrics_port: 70000}", "7:21: run.metrics_port: 70000 is out of range, use 0 to 65535"),
    ("run: {traces: 'localhost:4318'}", "7:15: run.traces: `localhost:4318` is not an address, write it as http://"),
    ("run: {traces: 'grpc://host:4317'}", "7:15: run.traces: `grpc://host:4317` is not an address"),
    ("run: {traces: 'http://host:port'}", "7:15: run.traces: `http://host:port` is not an address"),
    ("run: {traces: 'http://ann:hunter2@host'}", "7:15: run.traces: there may be a secret in it, take out"),
    ("run: {traces: 'http://host?key=hunter2'}", "7:15: run.traces: there may be a secret in it, take out"),
    (
        "run: {traces_header: 'Authorization: hunter2'}",
        "7:7: run.traces_header: a secret in the file, use `traces_header_file` or STREAM_SEG_RUN__TRACES_HEADER",
    ),
    ("run: {traces_header_file: hunter2}", "7:27: run.traces_header_file: the file cannot be read"),
    ("run: !!python/object:os.system {}", "7:6: run: the tag !!python/object:os.system is not"),
    ("run: {workers: !env 3}", "7:16: run.workers: the tag !env is not read here"),
    ("run: {workers: !!int many}", "7:16: run.workers: the text does not fit its tag"),
    ("run: {<<: {workers: 3}}", "7:7: run: `<<` merges are not read here"),
]


@pytest.mark.parametrize(
    ("section", "line"), SECTION_MISTAKES, ids=[line.partition(": ")[2] for _, line in SECTION_MISTAKES]
)
def test_a_mistake_in_another_section_is_told_with_its_place(path: Path, section: str, line: str) -> None:
    problems = told(path, HEAD + section)
    assert [problem[: len(line)] for problem in problems] == [line]
    assert "hunter2" not in problems[0]


def test_a_login_needs_all_of_it(path: Path) -> None:
    problems = told(path, HEAD + "kafka: {security: {protocol: SASL_SSL}}")
    lacking = [problem.split(": ")[1:3] for problem in problems]
    named = [f"kafka.security.{key}" for key in ("mechanism", "username", "password_file")]
    assert lacking == [[key, "is missing, `protocol"] for key in named]


def test_who_would_send_a_password_in_clear_is_not_led_to_believe_in_a_certificate(path: Path) -> None:
    section = "kafka: {security: {protocol: SASL_PLAINTEXT, mechanism: PLAIN, username: ann, ca_file: /dev/null}}"
    (problem,) = told(path, HEAD + section, {"STREAM_SEG_KAFKA__SECURITY__PASSWORD": "hunter2"})
    assert problem.partition(": ")[2] == "kafka.security.ca_file: is only for TLS, take it out"


def test_a_certificate_that_is_no_file_is_told(path: Path) -> None:
    (problem,) = told(path, HEAD + "kafka: {security: {protocol: SSL, ca_file: /nowhere.pem}}")
    assert problem.startswith("7:44: kafka.security.ca_file: `/nowhere.pem` is not a file")


FILES: list[tuple[str | bytes, str]] = [
    ("", "1:1: the file is empty"),
    ("# nothing yet\n", "1:1: the file is empty"),
    ("- a\n- b\n", "1:1: expected `key: value` lines, got a list"),
    ("hello", "1:1: expected `key: value` lines, got a single value"),
    (b"name: caf\xe9\n", "1:10: byte 0xe9 is not UTF-8"),
    (b"name: shop\ntime: \xff\n", "2:7: byte 0xff is not UTF-8"),
    ("name: shop\ntime:\n\tlateness: 1d\n", "3:1: a tab, indent with spaces"),
    ("name: shop: x\n", "1:11: a second `:` on one line"),
    ("name: [shop\n", "2:1: not YAML"),
    ("name: shop\n---\nname: b\n", "2:1: a second document"),
    ("name: *shop\n", "1:7: undefined alias 'shop', define it first"),
    ("name: &a shop\ntime: &a {}\n", "2:7: an anchor (`&name`) that is given twice"),
    ("name: sh\x01op\n", "1:9: a control character"),
    ("name: " + "[" * 5000 + "\n", "1:1: nested too deep"),
]


@pytest.mark.parametrize(("content", "line"), FILES, ids=[line.partition(": ")[2] for _, line in FILES])
def test_a_file_that_is_no_configuration_is_told_where_it_goes_wrong(
    path: Path, content: str | bytes, line: str
) -> None:
    assert told(path, content)[0][: len(line)] == line


def test_a_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such file, name another with --config"):
        load(tmp_path / "nowhere.yaml", {})


def test_a_file_that_is_a_folder_or_too_large_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})
    assert "1,000,001 bytes" in told(path, b"#" * 1_000_001)[0]


def test_aliases_that_multiply_are_refused_before_they_fill_the_memory(path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert any("more than 20,000 values, look at its aliases" in problem for problem in told(path, "\n".join(lines)))


def test_an_alias_of_itself_is_refused(path: Path) -> None:
    assert any("deeper than 20 levels" in problem for problem in told(path, "name: &a [*a]\n"))


def test_an_alias_says_the_same_condition_twice(path: Path) -> None:
    path.write_text(HEAD + '  where: &bought event == "Bought"\n- {name: b, aggregate: recency, where: *bought}\n')
    first, second = load(path, {}).definition.features
    assert first.where == second.where == 'event == "Bought"'


def test_every_mistake_is_told_in_one_go_in_the_order_of_the_file(path: Path) -> None:
    text = "name: Shop\nfeatures:\n- {name: a, aggregate: sum, window: 7}\nsegments: {k: 99}\nrun: {workers: 0}\n"
    problems = told(path, text, {"STREAM_SEG_RUN__CACHE_MB": "much", "STREAM_SEG_RUN__WORKRES": "3"})
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["1:7", "name"],
        ["3:3", "features[0].field"],
        ["3:37", "features[0].window"],
        ["4:15", "segments.k"],
        ["5:16", "run.workers"],
        ["environment STREAM_SEG_RUN__CACHE_MB", "run.cache_mb"],
        ["environment STREAM_SEG_RUN__WORKRES", "is not read by anything, did you mean `STREAM_SEG_RUN__WORKERS`?"],
    ]


def test_features_that_are_all_outcomes_leave_nothing_to_cluster_by(path: Path) -> None:
    (problem,) = told(path, HEAD + "  role: outcome\n")
    assert problem.startswith("2:1: features: are all outcomes")


def test_a_field_read_as_a_number_and_as_a_text_is_told_at_the_second(path: Path) -> None:
    text = '  where: properties.plan == "free"\n- {name: b, aggregate: sum, window: 8d, field: properties.plan}\n'
    (problem,) = told(path, HEAD + text)
    assert problem.startswith("8:48: features[1].field: ")


def test_more_conditions_than_a_mask_has_bits_are_refused(path: Path) -> None:
    many = "".join(f"- {{name: f{i}, aggregate: recency, where: properties.n == {i}}}\n" for i in range(64))
    (problem,) = told(path, HEAD + many)
    assert problem.startswith("2:1: features: 64 different conditions")
