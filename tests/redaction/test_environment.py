"""Which variables of an environment are taken as secrets, and which are left where they are."""

import json

import pytest

from rocm_pipeline.redaction import process
from rocm_pipeline.redaction.environment import find
from rocm_pipeline.redaction.fingerprints import Fingerprints
from rocm_pipeline.redaction.redactor import MARK, Redactor

VALUE = "Hunter2-Hunter2"

TAKEN = (
    "ANTHROPIC_API_KEY", "API_KEY", "APIKEY", "OPENAI_API_KEYS", "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY", "SIGNING_KEY_2", "GITHUB_TOKEN", "GH_PAT", "npm_config__authToken",
    "PGPASSWORD", "MYSQL_PWD", "MYSQL_ROOT_PASSWORD", "FTP_PASSWD", "SMTP_PASS", "SSHPASS",
    "GPG_PASSPHRASE", "APP_SECRETS", "CLIENT_SECRET", "CLIENT_SECRET_BASE64", "SECRET_KEY",
    "DOCKER_AUTH_CONFIG", "REDIS_AUTH", "NPM_CONFIG__AUTH", "BASIC_AUTH_HEADER",
    "GOOGLE_CREDENTIALS", "CLOUD_CREDS", "SENTRY_DSN", "AZURE_STORAGE_CONNECTION_STRING",
    "SLACK_WEBHOOK", "SLACK_WEBHOOK_URL", "ALERTS_WEBHOOK_URL", "SESSION_COOKIE",
)  # fmt: skip
LEFT = (
    "PATH", "PWD", "OLDPWD", "HOME", "SHELL", "LS_COLORS", "KEYBOARD", "KEYBOARD_LAYOUT", "MONKEY",
    "TURKEY", "TOKENIZERS_PARALLELISM", "MAX_TOKENS", "SECRETARY", "COMPASS", "BYPASS",
    "PASSTHROUGH", "PATTERN", "XAUTHORITY", "SSH_AUTH_SOCK", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL",
    "AUTH_TYPE", "OAUTH_URL", "TOKEN_URL", "PASSWORD_FILE", "WEBHOOK_PORT", "DATABASE_URL",
)  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_a_variable_with_the_name_of_a_secret_is_one(name: str) -> None:
    assert find({name: VALUE}).names == (name,)
    assert find({name: VALUE}).values == {VALUE}


@pytest.mark.parametrize("name", LEFT)
def test_a_variable_with_another_name_is_none(name: str) -> None:
    assert find({name: VALUE}) == find({})


@pytest.mark.parametrize("name", ["MYSQL_PWD", "SSH_KEY", "PGPASSWORD"])
def test_a_path_that_is_there_is_no_secret(name: str) -> None:
    assert find({name: "/usr/bin"}) == find({})


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("DATABASE_URL", "postgresql://me:P4ss%2Fword@host/db", {"P4ss%2Fword", "P4ss/word"}),
        ("DATABASE_URL", "postgresql://me@host/db", set[str]()),
        ("ODBC", "Server=x;Uid=me;Pwd=P4ssword1;Encrypt=yes", {"P4ssword1"}),
        ("CONNINFO", "host=x user=me password='P4ss word' port=1", {"P4ss word"}),
        ("STORAGE", "AccountName=x;AccountKey=Abcd1234==;End", {"Abcd1234=="}),
        ("QUERY", "mysql://host/db?user=me&password=P4ss%2Fword&ssl=1",
         {"P4ss%2Fword", "P4ss/word"}),
        ("SOME_FLAGS", "--passwords=no --pwd= --keyboard=us1", set[str]()),
    ],
)  # fmt: skip
def test_a_password_within_any_variable_is_a_secret(
    name: str, value: str, secrets: set[str]
) -> None:
    assert find({name: value}).values == secrets


def test_of_an_address_that_is_a_secret_its_path_is_known_alone() -> None:
    path = "services/T00000000/Abcdefgh12345678"
    found = find({"SLACK_WEBHOOK_URL": f"https://chat.example/{path}"})
    assert found.values == {path, f"https://chat.example/{path}"}


def test_of_a_json_object_what_is_named_like_a_secret_is_known_alone() -> None:
    registries = {
        "auths": {"registry.example": {"auth": "bWU6UDRzc3dvcmQ=", "email": "Me1@x.example"}}
    }
    text = json.dumps(registries)
    assert find({"DOCKER_AUTH_CONFIG": text}).values == {text, "bWU6UDRzc3dvcmQ="}
    nested = "{" * 100_000
    assert find({"DOCKER_AUTH_CONFIG": nested}).values == {nested}


def test_every_such_variable_is_withheld_and_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    state = type("State", (), {"redactor": Redactor(Fingerprints.of(())), "is_installed": True})
    monkeypatch.setattr(process, "_State", state)
    environment = {name: f"{VALUE}-{number}" for number, name in enumerate(TAKEN)}
    kept = dict.fromkeys(LEFT, "Ordinary1234")
    monkeypatch.setattr("os.environ", {**environment, **kept})
    assert process.withhold() == tuple(sorted(TAKEN))
    assert process.os.environ.keys() == {*LEFT, process.FINGERPRINTS_VARIABLE}
    for value in environment.values():
        assert process.clean_text(value) == MARK
