"""From a file and an environment to one `Config`, or to one `ConfigError` that tells everything that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, SecretStr, ValidationError

from stream_seg.config import rules, segment_rules
from stream_seg.config.definition import build
from stream_seg.config.environment import override, put, section_in
from stream_seg.config.good import Basis, Good, bases_of, check_good, good_of
from stream_seg.config.initial import initial_model
from stream_seg.config.notices import notice
from stream_seg.config.problems import KeyPath, Problems, choose, dotted
from stream_seg.config.scalars import shown
from stream_seg.config.sections import (
    Document,
    FeatureSection,
    TierSection,
    TimeSection,
)
from stream_seg.config.settings import KafkaSettings, RedisSettings, RunSettings
from stream_seg.config.source import Source, read
from stream_seg.config.views import check_views, views_of
from stream_seg.core.definition import Definition
from stream_seg.core.model import ModelVersion
from stream_seg.core.views import View

DEFAULT_FILE = Path("segmentation.yaml")
_S = TypeVar("_S", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. Only `definition` decides anything; the rest says where to run and how.

    input_topics  the product topics that INGEST reads; empty when producers write into `events` themselves
    initial       the version with which a first definition comes into force, if the file names one
    question      what the segments are for
    good          when they are good enough
    bases         feature -> what kind of thing it says of a customer
    views         what can be asked about customers
    notices       what is right and still worth a look, each as ``file:line:column: key: what``
    path          the file that it was read from
    """

    definition: Definition
    kafka: KafkaSettings
    redis: RedisSettings
    run: RunSettings
    input_topics: tuple[str, ...]
    path: Path
    good: Good
    bases: Mapping[str, Basis]
    question: str | None = None
    initial: ModelVersion | None = None
    views: tuple[View, ...] = ()
    notices: tuple[str, ...] = ()


def load(
    path: Path, env: Mapping[str, str], overrides: Mapping[KeyPath, Any] | None = None, *, model: bool = True
) -> Config:
    """Reads `path`, then `env` (``STREAM_SEG_*``) over it, then `overrides` (from the command line) over both.

    Without `model` the file that `segments.initial_model` names is not looked at: who makes a new one needs none.

    Raises
    ------
    ConfigError
        With every mistake found, each as ``file:line:column: key: what, remedy``.
    """
    problems = Problems(str(path))
    source = read(path, problems)
    if not source.values:
        problems.raise_if_any()
    origin = override(source.values, env, problems)
    for key, value in (overrides or {}).items():
        put(source.values, key, value)
        origin[key] = "command line"
    checker = _Checker(source, origin, problems)
    document = checker.check()
    problems.raise_if_any()
    assert document is not None  # else there was a problem
    definition = build(document)
    rules.check_fields(definition, checker.tell)
    check_views(document.views, definition.features, checker.tell)
    check_good(document.good, definition.features, checker.tell)
    named = document.segments.initial_model if model else None
    initial = initial_model(named, path, definition, checker.tell)
    problems.raise_if_any()
    notices = Problems(str(path))
    notice(definition, _Checker(source, origin, notices).tell)
    return Config(
        definition=definition,
        kafka=document.kafka,
        redis=_without_password_in_url(document.redis),
        run=document.run,
        input_topics=tuple(document.input.topics),
        path=path,
        good=good_of(document.good),
        bases=bases_of(document.features),
        question=document.question,
        initial=initial,
        views=views_of(document.views, definition.features),
        notices=tuple(notices.lines()),
    )


def _without_password_in_url(redis: RedisSettings) -> RedisSettings:
    """A URL from the environment may carry a password; it moves to where it is masked."""
    parts = urlsplit(redis.url)
    if not parts.password:
        return redis
    address = parts.netloc.rpartition("@")[2]
    bare = urlunsplit(parts._replace(netloc=address))
    update = {"url": bare, "username": parts.username or redis.username, "password": SecretStr(parts.password)}
    return redis.model_copy(update=update)


class _Checker:
    """Validates the sections, applies the rules between them, and points each mistake at its place."""

    def __init__(self, source: Source, origin: dict[KeyPath, str], problems: Problems) -> None:
        self._source = source
        self._origin = origin
        self._problems = problems
        self._told: set[KeyPath] = set(source.told)

    def check(self) -> Document | None:
        document: Document | None = None
        try:
            document = Document.model_validate(self._source.values)
        except ValidationError as error:
            for one in error.errors(include_url=False, include_context=True):
                self._translate(dict(one))
        self._apply_rules()
        return document

    def _apply_rules(self) -> None:
        values = self._source.values
        features = values.get("features")
        parsed: list[FeatureSection | None] = []
        for i, raw in enumerate(features if isinstance(features, list) else []):
            one = _valid(FeatureSection, raw)
            parsed.append(one)
            if isinstance(raw, dict):
                rules.check_parts(raw, ("features", i), self.tell)
            if one is not None:
                rules.check_feature(one, ("features", i), self.tell)
        if isinstance(features, list):
            rules.check_features(parsed, self.tell)
        for name, rule in (("input", rules.check_input), ("kafka", rules.check_kafka), ("redis", rules.check_redis)):
            if isinstance(section := values.get(name, {}), dict):
                rule(section, self.tell)
        rules.check_secrets(values, self.tell)
        time = _valid(TimeSection, values.get("time", {}))
        if time is not None:
            rules.check_time(time, [one for one in parsed if one], self.tell)
        segment_rules.check_levers(values.get("levers", []), self.tell)
        tiers = values.get("tiers", [])
        segment_rules.check_tiers(
            [_valid(TierSection, raw) for raw in tiers] if isinstance(tiers, list) else [], self.tell
        )
        segment_rules.check_learner(values.get("segments"), self.tell)

    def tell(
        self, path: KeyPath, text: str, *, key: bool = False, absent: bool = False, offset: int | None = None
    ) -> None:
        """Adds a mistake at the value of `path`, at its key, where it ought to be, or inside its text."""
        if path in self._told:
            return
        self._told.add(path)
        if path in self._origin:
            self._problems.in_variable(self._origin[path], dotted(path), text)
            return
        place = None if absent else (self._source.keys if key else self._source.places).get(path)
        if place is not None:
            line, column = (place.line, place.column) if offset is None else place.inside(offset)
        else:
            line, column = self._near(path, absent=absent)
        self._problems.at(line, column, dotted(path), text)

    def _near(self, path: KeyPath, *, absent: bool) -> tuple[int, int]:
        """Where a key that is not there belongs: at the key that ought to hold it. Else at the value around it."""
        first, second = (self._source.keys, self._source.places)[:: 1 if absent else -1]
        while path:
            path = path[:-1]
            if (place := first.get(path) or second.get(path)) is not None:
                return place.line, place.column
        return 1, 1

    def _translate(self, error: dict[str, Any]) -> None:
        path: KeyPath = tuple(part for part in error["loc"] if part != "[key]")
        given = error.get("input")
        match error["type"]:
            case "wrong":
                self.tell(path, error["msg"])
            case "missing":
                info = _field(path)
                self.tell(path, f"is missing, add it{f' ({info})' if info else ''}", absent=True)
            case "extra_forbidden":
                known = _siblings(path)
                self.tell(path, f"is not a key here, {choose(path[-1], known)}", key=True)
            case "model_type" | "dict_type" | "model_attributes_type":
                self.tell(path, f"expected `key: value` lines, got {shown(given)}")
            case "list_type":
                self.tell(path, f"expected a list, got {shown(given)}, begin each entry with `- `")
            case "string_type":
                self.tell(path, "expected text")
            case _:
                self.tell(path, f"{error['msg']}, correct it")


def _valid(section: type[_S], raw: Any) -> _S | None:
    try:
        return section.model_validate(raw)
    except ValidationError:
        return None


def _model_at(path: KeyPath) -> type[BaseModel] | None:
    """The section that holds the last part of `path`."""
    model: type[BaseModel] | None = Document
    for part in path[:-1]:
        if isinstance(part, int) or model is None:
            continue
        info = model.model_fields.get(part)
        model = section_in(info) if info else None
    return model


def _siblings(path: KeyPath) -> list[str]:
    model = _model_at(path)
    return list(model.model_fields) if model else []


def _field(path: KeyPath) -> str:
    model = _model_at(path)
    info = model.model_fields.get(str(path[-1])) if model else None
    return (info.description or "") if info else ""
