"""How values are kept in a database of either kind: times as UTC, settings as JSON, choices as their names."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Enum, MetaData, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

from league.race_file import race_from_json
from league.races import RaceSettings
from league.seasons import Season, season_from_json
from league.settings_file import to_json


class UTCDateTime(TypeDecorator[datetime]):
    """A time with a zone, kept as UTC also by databases that know no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """With its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class AsJson(TypeDecorator[Any], ABC):
    """Settings, kept as JSON; settings as JSON are taken, too."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """To JSON."""
        return value if value is None or isinstance(value, str) else to_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """From JSON."""
        return None if value is None else self.read(value)

    @abstractmethod
    def read(self, text: str) -> Any:
        """The settings that were written as this."""


class Settings(AsJson):
    """A race's settings."""

    cache_ok = True

    def read(self, text: str) -> RaceSettings:
        """The race that was written as this."""
        return race_from_json(text)


class SeasonSettings(AsJson):
    """A season's settings."""

    cache_ok = True

    def read(self, text: str) -> Season:
        """The season that was written as this."""
        return season_from_json(text)


class Table(DeclarativeBase):
    """The base of every table."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        datetime: UTCDateTime,
        RaceSettings: Settings,
        Season: SeasonSettings,
        dict[str, Any]: JSON,
        list[int]: JSON,
        enum.Enum: Enum(
            enum.Enum,
            native_enum=False,
            create_constraint=True,
            length=16,
            values_callable=lambda kind: [member.value for member in kind],
        ),
    }
