"""Making, listing and revoking keys; what the database holds of them."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from app.access import Caller, Role
from app.bootstrap import build
from app.db import Base, Database
from app.errors import InvalidRequestError, NotFoundError, UnauthorizedError
from app.keys.authenticator import KeyAuthenticator
from app.keys.service import KeyService, keys_exist
from app.keys.tokens import hashed
from app.settings import Settings

ADMIN_KEY = "glm_" + "0123456789abcdef" * 4


@pytest.fixture
def keys(database: Database) -> KeyService:
    return KeyService(database)


async def dump(database: Database) -> str:
    """Every value in the database."""
    async with database.reading() as session:
        return "\n".join(
            [repr(row) for table in Base.metadata.tables.values() for row in await session.execute(select(table))]
        )


async def test_a_key_is_random_and_known_by_its_first_characters(keys: KeyService):
    first, second = await keys.create("laptop", Role.USER, "alice"), await keys.create("phone", Role.VIEWER)
    assert re.fullmatch(r"glm_[0-9a-f]{64}", first.key)
    assert first.key != second.key
    assert first.row.prefix == first.key[:12]
    assert [(key.name, key.owner, key.role) for key in await keys.list()] == [
        ("laptop", "alice", "user"),
        ("phone", "phone", "viewer"),
    ]


async def test_only_the_hash_is_stored(settings: Settings, database: Database, keys: KeyService):
    made = await keys.create("laptop", Role.USER)
    authenticator = KeyAuthenticator(database)
    opened = await authenticator.open_session(await authenticator.authenticate(made.key, None))
    assert opened is not None
    stored = await dump(database)
    for secret in (made.key, made.key.removeprefix("glm_"), opened.token):
        assert secret not in stored
        assert secret not in repr((made, opened))
        assert hashed(secret) in stored or secret == made.key.removeprefix("glm_")
    if database.sqlite:
        folder = Path(str(database.engine.url.database)).parent
        files = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
        assert hashed(made.key).encode() in files
        assert made.key[4:].encode() not in files
        assert opened.token.encode() not in files


@pytest.mark.parametrize(("name", "owner"), [("", None), ("a b", None), ("a", ""), ("a", "b\x00"), ("a" * 65, None)])
async def test_names_that_are_none(keys: KeyService, name: str, owner: str | None):
    with pytest.raises(InvalidRequestError, match="name" if owner is None else "owner"):
        await keys.create(name, Role.USER, owner)


async def test_revoking_by_id_or_prefix(database: Database, keys: KeyService):
    first, second = await keys.create("first", Role.USER), await keys.create("second", Role.USER)
    await keys.revoke(str(first.row.id))
    times = [key.revoked_at for key in await keys.list()]
    assert times[0] is not None
    assert times[1] is None
    await keys.revoke(first.row.prefix)
    assert [key.revoked_at for key in await keys.list()] == times
    await keys.revoke(second.row.prefix)
    with pytest.raises(NotFoundError):
        await keys.revoke("glm_")
    for key in (first.key, second.key):
        with pytest.raises(UnauthorizedError):
            await KeyAuthenticator(database).authenticate(key, None)


@pytest.mark.empty_database
async def test_keys_exist_from_the_first_on_for_ever(settings: Settings):
    database = Database(settings.database_url)
    assert not await keys_exist(database)
    await database.migrate()
    assert not await keys_exist(database)
    made = await KeyService(database).create("laptop", Role.USER)
    assert await keys_exist(database)
    await KeyService(database).revoke(made.row.prefix)
    assert await keys_exist(database)
    await database.close()


async def test_the_key_of_the_settings_is_an_admin(settings: Settings):
    settings = settings.model_copy(update={"admin_key": Settings(_env_file=None, admin_key=ADMIN_KEY).admin_key})
    for _ in range(2):
        service = build(settings)
        async with service.running():
            caller = await service.authenticator.authenticate(ADMIN_KEY, None)
            assert (caller.owner, caller.role) == ("admin", Role.ADMIN)
            assert [key.hash for key in await service.keys.list()] == [hashed(ADMIN_KEY)]
            assert ADMIN_KEY not in await dump(service.database)
            assert ADMIN_KEY not in repr(service)


async def test_a_revoked_key_of_the_settings_stays_revoked(keys: KeyService, database: Database):
    await keys.keep_admin_key(ADMIN_KEY)
    await keys.revoke(ADMIN_KEY[:12])
    await keys.keep_admin_key(ADMIN_KEY)
    with pytest.raises(UnauthorizedError):
        await KeyAuthenticator(database).authenticate(ADMIN_KEY, None)


@pytest.mark.parametrize("key", ["secret" * 10, "glm_short", "glm_" + "with spaces " * 5])
def test_a_weak_key_in_the_settings_is_refused_and_not_shown(key: str):
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None, admin_key=key)
    assert "admin_key" in str(refused.value)
    assert key not in str(refused.value)


def test_settings_do_not_show_the_key():
    settings = Settings(_env_file=None, admin_key=ADMIN_KEY)
    assert ADMIN_KEY not in f"{settings} {settings!r} {settings.model_dump_json()}"
    assert Settings(_env_file=None, admin_key="").admin_key is None
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None, admin_key=ADMIN_KEY, database_url="mysql://")
    assert ADMIN_KEY not in str(refused.value)


async def test_use_is_noted_once_a_minute(database: Database, keys: KeyService, monkeypatch: pytest.MonkeyPatch):
    made = await keys.create("laptop", Role.USER)
    authenticator = KeyAuthenticator(database)
    times = set()
    for _ in range(3):
        await authenticator.authenticate(made.key, None)
        times |= {key.last_used_at for key in await keys.list()}
    assert len(times) == 1
    assert None not in times
    monkeypatch.setattr("app.keys.authenticator.USE_NOTED_EVERY_S", 0.0)
    await authenticator.authenticate(made.key, None)
    assert {key.last_used_at for key in await keys.list()} != times


def test_who_sees_what():
    assert Caller("alice", Role.USER).sees == "alice"
    assert Caller("alice", Role.VIEWER).sees == "alice"
    assert Caller("alice", Role.ADMIN).sees is None
    assert [role for role in Role if not Caller("alice", role).may_write] == [Role.VIEWER]
