"""The compose file keeps its promises, as far as they can be checked without a Docker engine."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from app.cli import app
from app.settings import Settings
from tests.deployment.compose import COMPOSE, OURS, ROOT, compose, last_stage, of_image, offered, required

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
OF_SETTINGS = {f"GYM_LLM_{name.upper()}" for name in Settings.model_fields}
OF_CLIENTS = {
    *("OLLAMA_HOST", "OLLAMA_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "PGPASSWORD"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"),
}
ONE_SHOTS = {"migrate", "ollama-pull"}
SECRETS = dict.fromkeys(required(), "glm_" + "0123456789abcdef" * 4)
PINNED = re.compile(r"[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z]+)*")


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    return SERVICES[request.param]


def seconds(duration: str) -> int:
    match = re.fullmatch(r"(\d+)s", duration)
    assert match
    return int(match[1])


def test_every_image_has_a_version(service: dict[str, Any]) -> None:
    assert PINNED.fullmatch(service["image"])


def test_our_image_has_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {SERVICES[name]["image"] for name in OURS} == {f"gym-llm:{version}"}
    assert {SERVICES[name]["build"] for name in OURS} == {"."}


@pytest.mark.parametrize("name", OURS)
def test_commands_are_those_of_the_command_line(name: str) -> None:
    command, *options = SERVICES[name]["command"]
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    known = {option for parameter in commands[command].params for option in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known
    assert "entrypoint" not in SERVICES[name]


@pytest.mark.parametrize("name", OURS)
def test_our_variables_exist(name: str) -> None:
    assert set(SERVICES[name]["environment"]) <= OF_SETTINGS | OF_CLIENTS


@pytest.mark.parametrize("name", ["api", "worker"])
def test_every_setting_can_be_set(name: str) -> None:
    # Only the API has to know the key.
    missing = OF_SETTINGS - set(SERVICES[name]["environment"])
    assert missing == (set() if name == "api" else {"GYM_LLM_ADMIN_KEY"})


def test_the_api_and_the_workers_agree() -> None:
    of_api, of_worker = (dict(SERVICES[name]["environment"]) for name in ("api", "worker"))
    del of_api["GYM_LLM_ADMIN_KEY"]
    assert of_api == of_worker


def test_settings_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("GYM_LLM_"):
            monkeypatch.delenv(name)
    for name, value in compose(SECRETS)["services"]["api"]["environment"].items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert settings.database_url == "postgresql+psycopg://gym_llm@postgres/gym_llm"
    assert str(settings.data_dir) == "/data"


def test_no_secret_is_written_down() -> None:
    text = COMPOSE.read_text()
    assert set(re.findall(r"\w*(?:PASSWORD|KEY)\w*", text)) - OF_CLIENTS <= required()
    for name in required():
        assert not re.search(rf"^\s*{name}: (?!\$\{{)", text, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(required()))
def test_refuses_to_start_without(name: str) -> None:
    with pytest.raises(ValueError, match=rf"set {name} in \.env"):
        compose({**SECRETS, name: ""})


def test_example_as_it_is_refuses_to_start() -> None:
    with pytest.raises(ValueError, match=r"in \.env"):
        compose(offered())


def test_only_the_api_is_published_and_on_this_machine() -> None:
    services = compose(SECRETS)["services"]
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
        "api": ["127.0.0.1:8000:8000"]
    }
    assert "network_mode" not in COMPOSE.read_text()


def test_workers_can_be_many() -> None:
    assert all("container_name" not in service and "hostname" not in service for service in SERVICES.values())
    assert "ports" not in SERVICES["worker"]


def test_dependencies_can_be_met(service: dict[str, Any]) -> None:
    for name, needs in service.get("depends_on", {}).items():
        dependency = SERVICES[name]
        if needs["condition"] == "service_completed_successfully":
            assert name in ONE_SHOTS
        else:
            assert needs["condition"] == "service_healthy"
            assert dependency["healthcheck"]["test"][0] == "CMD"
        assert set(dependency.get("profiles", [])) <= set(service.get("profiles", []))


def test_who_waits_for_whom() -> None:
    waits = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    assert waits["api"] == waits["worker"] == {"postgres", "migrate"}
    assert waits["migrate"] == {"postgres"}
    assert waits["ollama-pull"] == {"ollama"}


def test_models_are_a_choice() -> None:
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["ollama"]} == {
        "ollama",
        "ollama-pull",
    }
    assert SERVICES["ollama"]["image"] == SERVICES["ollama-pull"]["image"]


@pytest.mark.parametrize("name", OURS)
def test_ours_are_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp:size=256m,mode=1777"]
    assert service["init"] is True
    assert "user" not in service, "the image has a user of its own"
    assert not {"cap_add", "privileged", "devices", "pid", "ipc"} & set(service)


def test_all_are_confined(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert not any("docker.sock" in volume for volume in service.get("volumes", []))


def test_all_come_back_but_the_one_shots() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == ("no" if name in ONE_SHOTS else "unless-stopped")


@pytest.mark.parametrize("name", OURS)
def test_only_the_api_is_asked_for_its_health(name: str) -> None:
    # The image's own check asks the API, which the others do not have.
    assert SERVICES[name].get("healthcheck") == (None if name == "api" else {"disable": True})
    assert "HEALTHCHECK" in dict(last_stage())


def test_the_published_port_is_the_one_that_is_served() -> None:
    assert re.search(r"\{API_PORT:-8000\}:8000$", SERVICES["api"]["ports"][0])
    assert "8000" in of_image("HEALTHCHECK")[-1]


def test_there_is_time_to_stop() -> None:
    shutdown_s = Settings.model_fields["shutdown_s"].default
    assert all(seconds(SERVICES[name]["stop_grace_period"]) > 2 * shutdown_s for name in OURS)


def test_volumes_and_networks_are_declared() -> None:
    whole = compose()
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    joined = {network for service in SERVICES.values() for network in service.get("networks", ["default"])}
    assert mounted == set(whole["volumes"])
    assert joined == set(whole["networks"]) | {"default"}


def test_files_are_shared() -> None:
    assert all(SERVICES[name]["volumes"] == ["data:/data"] for name in OURS)
    assert SERVICES["api"]["environment"]["GYM_LLM_DATA_DIR"] == "/data"


def test_only_ours_reach_the_database() -> None:
    assert compose()["networks"]["database"] == {"internal": True}
    inside = {name for name, service in SERVICES.items() if "database" in service.get("networks", [])}
    assert inside == {"postgres", *OURS}
    assert SERVICES["postgres"]["networks"] == ["database"]


def test_postgres_keeps_its_data() -> None:
    postgres = SERVICES["postgres"]
    major = int(postgres["image"].split(":")[1].split(".")[0])
    # From 18 on, the image keeps its data in a folder of its own version below this one.
    assert postgres["volumes"] == [
        "postgres:/var/lib/postgresql" if major >= 18 else "postgres:/var/lib/postgresql/data"
    ]


def compose_command() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True).returncode == 0:
            return command
    return None


@pytest.mark.skipif(compose_command() is None, reason="there is no Docker Compose here")
def test_compose_reads_it_as_we_do(tmp_path: Path) -> None:
    command = compose_command()
    assert command
    given = tmp_path / ".env"
    given.write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))
    options = ["--file", str(COMPOSE), "--env-file", str(given), "--profile", "ollama", "config"]
    nothing_else = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run([*command, *options], env=nothing_else, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    read = yaml.safe_load(done.stdout)["services"]
    ours = compose(SECRETS)["services"]
    assert set(read) == set(ours)
    for name, service in ours.items():
        set_there = {key: value for key, value in (read[name].get("environment") or {}).items() if value is not None}
        assert set_there == service["environment"]
        assert read[name].get("command") == service.get("command")
