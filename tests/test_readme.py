"""The README is true: its Python runs, its accelerator is the one that comes with dyad, its files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from dyad.analysis.cli import app, main
from dyad.models import accelerator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_the_accelerator_is_the_one_that_comes_with_dyad(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    path = tmp_path / "edge.yaml"
    path.write_text(text)
    assert accelerator.load(path) == accelerator.load(yaml.safe_load(text)["name"])


def test_every_command_that_is_named_exists() -> None:
    for name in set(re.findall(r"dyad ([a-z]+)", "\n".join(re.findall(r"`dyad [^`]*`|^\$ dyad .*", README, re.M)))):
        assert name in app, name


@pytest.mark.parametrize("line", re.findall(r"^\$ dyad (simulate .*)", README, re.M))
def test_what_is_simulated_can_be(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("network.onnx").write_bytes((ROOT / "models/networks/digits_cnn.onnx").read_bytes())
    Path("my_accelerator.yaml").write_text(*blocks("yaml"))
    with pytest.raises(SystemExit) as end:
        main(line.split())
    assert not end.value.code


def test_every_file_that_is_linked_exists() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target
    for path in re.findall(r"`((?:models|rtl|hw|sim|analysis|tests)/[^`]*)`", README):
        assert (ROOT / path).exists(), path


def test_the_output_is_that_of_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"<!-- demo -->\n```\n(.*?)```\n<!-- /demo -->", README, flags=re.DOTALL)
    with pytest.raises(SystemExit) as end:
        main(["demo", "--html", str(tmp_path / "report.html")])
    assert end.value.code == 0
    printed = {line.rstrip() for line in capsys.readouterr().out.splitlines()}
    assert [line for line in block.splitlines() if line not in printed] == []


def test_the_table_of_processing_elements_is_made_from_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    (table,) = re.findall(r"<!-- pes -->\n(.*?)<!-- /pes -->", README, flags=re.DOTALL)
    with pytest.raises(SystemExit):
        main(["pes", "--markdown"])
    assert capsys.readouterr().out == table
