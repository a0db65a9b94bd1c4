"""What circuits that `dyad.hw.synthesis.baselines.MultiplyAccumulate` builds came to elsewhere, by its arguments."""

from __future__ import annotations

ECP5 = {
    (8, 32, "operator"): (367, 66, 128),
    (4, 32, "operator"): (213, 58, 159),
    (4, 20, "operator"): (189, 46, 160),
    (4, 32, "booth"): (150, 58, 198),
    (4, 20, "booth"): (119, 46, 198),
}
"""On a Lattice ECP5-85 without its multipliers: LUTs, flip-flops, MHz."""

SKY130_UM2 = {
    (8, 32, "operator"): 4955,
    (4, 32, "operator"): 3521,
    (4, 20, "operator"): 2649,
    (4, 32, "booth"): 3144,
    (4, 20, "booth"): 2314,
}
"""In sky130_fd_sc_hd, by the flow of `dyad.hw.synthesis.rivals`: um2."""
