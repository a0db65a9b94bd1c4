"""What a product costs: shares worked out by hand, the table of the documentation, ratios beside published ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dyad.analysis import efficiency
from dyad.analysis.cli import main
from dyad.sim.costs import Costs, costs

ROOT = Path(__file__).parents[1]
STATIONS = ("dot", "row", "column", "finish", "output")


def row(pe: str, mode: str, dot: float) -> dict:
    energies = dict(zip(STATIONS, (dot, 16.0, 32.0, 256.0, 1.0), strict=True))
    return {
        "pe": pe,
        "parameters": {"size": 1},
        "area_um2": dict.fromkeys(STATIONS, 100.0),
        "idle_pj": dict(zip(STATIONS, (2.0, 0.0, 0.0, 32.0, 0.0), strict=True)),
        "modes": {mode: {"products": 8, "cycles": 2, "normal": energies, "digits": energies | {"dot": 1.0}}},
    }


def table(*rows: dict) -> Costs:
    return Costs("handmade", "paper", rows, "paper", costs().sram, costs().dram)


def test_shares_of_a_product_are_those_worked_out_by_hand() -> None:
    (found,) = efficiency.products(table(row("a", "b", 6.0)))
    # Four products a cycle: the cell spends 6 + 2 in one, a row and a column 16 and 32 for 16 cells each; a result of
    # 128 products costs 256, and a finish station idles at 32 for each column of 16 cells.
    assert found.cell_pj == 8 / 4
    assert found.tile_pj == 8 / 4 + (16 / 16 + 32 / 16) / 4 + 256 / 128 + 32 / 16 / 4
    assert found.cell_um2 == 100 / 4
    assert found.digits_pj == 3 / 4
    assert (found.pe, found.parameters, found.mode) == ("a", "size=1", "b")


def test_ratios_are_of_the_first_variant_that_has_the_mode() -> None:
    claim = efficiency.Claim("paper", "energy", 0.5, ("a", "m"), ("b", "m"), "cell_pj", "nothing")
    rows = [row("a", "m", 2.0), row("a", "m", 90.0), row("b", "m", 6.0)]
    assert efficiency.ratio(claim, efficiency.products(table(*rows))) == pytest.approx(4 / 8)
    assert efficiency.ratio(claim, efficiency.products(table(rows[0]))) is None


def test_every_claim_has_its_counterpart() -> None:
    found = efficiency.products(costs())
    for claim in efficiency.CLAIMS:
        assert efficiency.ratio(claim, found) is not None, claim.text


def test_the_table_of_the_documentation_is_made_from_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"<!-- costs -->\n(.*?)<!-- /costs -->", (ROOT / "hw/costs/README.md").read_text(), re.DOTALL)
    with pytest.raises(SystemExit):
        main(["costs", "--markdown"])
    assert capsys.readouterr().out == block


def test_command_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["costs", "--json", str(tmp_path / "costs.json")])
    assert not ended.value.code
    printed, report = capsys.readouterr().out, json.loads((tmp_path / "costs.json").read_text())
    assert len(report["products"]) == len(efficiency.products(costs()))
    assert {"pe", "mode", "cell_pj", "tile_pj", "cell_um2"} <= report["products"][0].keys()
    assert all(claim["text"] in printed and claim["ours"] for claim in report["claims"])


def test_unknown_table_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["costs", "--table", "dyad44"])
    assert ended.value.code == 2
    assert "unknown cost table 'dyad44'; did you mean dyad45?" in capsys.readouterr().err
