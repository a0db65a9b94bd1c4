"""Options of the test suite."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from numpy.typing import NDArray

from dyad.models import accelerator, networks
from dyad.models.networks.digits import digits
from dyad.models.program.program import Program, compile_layers
from dyad.models.quantize import quantize
from dyad.models.quantized import QuantizedNetwork

# Examples are the same on every machine and every run; a shared machine may be slow, which is no defect.
hypothesis.settings.register_profile("dyad", derandomize=True, deadline=None)
hypothesis.settings.load_profile("dyad")

DIGITS = 20


@pytest.fixture(scope="session", params=["int4_channel", "uint4_g32_z"])
def digits_program(request: pytest.FixtureRequest) -> tuple[QuantizedNetwork, Program, NDArray[np.int8]]:
    """The digits network for 20 images, its program on `tiny`, and the first 20 held-out images."""
    data = digits()
    network = quantize(networks.load_float("digits-cnn"), data.train_images[:256], weights=request.param).batch(DIGITS)
    program = compile_layers([layer.layer for layer in network.layers], accelerator.load("tiny"))
    return network, program, network.encode(data.test_images[:DIGITS])
