"""Where files are kept, as an operator says it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app import settings as settings_module
from app.settings import Settings


def settings(url: str, tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path, artifacts_url=url)


@pytest.mark.parametrize("url", ["", "s3://bucket", "s3://bucket/", "s3://my-bucket.eu/some/prefix", "s3://b-1/a_b/"])
def test_what_may_be_said(url: str, tmp_path: Path):
    assert settings(url, tmp_path).artifacts_url == url


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "/data", "gs://bucket", "https://host/bucket", "s3://b/../c?x=1"])
def test_what_may_not(url: str, tmp_path: Path):
    with pytest.raises(ValidationError, match="artifacts_url"):
        settings(url, tmp_path)


def test_without_the_extra(tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr(settings_module, "find_spec", lambda name: None)
    assert settings("", tmp_path).artifacts_url == ""
    with pytest.raises(ValidationError, match=r"gym-llm\[s3\]"):
        settings("s3://bucket", tmp_path)
