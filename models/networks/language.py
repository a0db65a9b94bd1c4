"""Decoder-only language models as matrix products, in prefill (all tokens of a prompt at once) or decode (one more).

Scores and values of attention are products of two activations: the cached keys and values stand in for weights, held as
int8, with one product for each head. The products are whole squares; nothing is saved on the causal mask.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError, unknown
from ..network import Layer, Network, gemm

PHASES = ("prefill", "decode")


@dataclass(frozen=True)
class Decoder:
    """Dimensions of a decoder-only transformer with a gated feed-forward network.

    Parameters
    ----------
    name : short name of the network.
    layers, hidden, heads, feed_forward, vocabulary : as in its publication; heads of hidden / heads channels.
    head_weight : element format of the weights of the last layer; None is that of all others.
    source : publication.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    feed_forward: int
    vocabulary: int
    head_weight: str | None
    source: str


LLAMA2_7B = Decoder("llama2-7b", 32, 4096, 32, 11008, 32000, None, "arXiv 2307.09288, and 2302.13971 table 2")
BITNET_3B = Decoder("bitnet-3b", 26, 3200, 32, 8640, 32002, "int8", "arXiv 2402.17764, checkpoint bitnet_b1_58-3B")


def llama2_7b(
    phase: str = "prefill",
    tokens: int = 2048,
    batch: int = 1,
    weight: str = "int4",
    group: int | None = 128,
    zero_point: bool = False,
) -> Network:
    """Return LLaMA-2 7B (arXiv 2307.09288).

    Parameters
    ----------
    phase : ``"prefill"`` of `tokens` tokens, or ``"decode"`` of one token that follows `tokens` - 1 others.
    tokens : length of the context.
    batch : number of independent sequences.
    weight, group, zero_point : format of the weights, as in `Layer`; cached keys and values are int8 regardless.

    Raises
    ------
    InputError : if the phase is unknown or a number is not positive.
    """
    return _network(LLAMA2_7B, phase, tokens, batch, weight, group, zero_point)


def bitnet_3b(
    phase: str = "prefill",
    tokens: int = 2048,
    batch: int = 1,
    weight: str = "int2",
    group: int | None = None,
    zero_point: bool = False,
) -> Network:
    """Return BitNet b1.58 3B (arXiv 2402.17764), whose ternary weights fill int2; its last layer is kept in int8.

    Parameters and errors are those of `llama2_7b`.
    """
    return _network(BITNET_3B, phase, tokens, batch, weight, group, zero_point)


def _network(
    model: Decoder, phase: str, tokens: int, batch: int, weight: str, group: int | None, zero_point: bool
) -> Network:
    if phase not in PHASES:
        raise unknown("phase", phase, PHASES)
    for what, number in (("tokens", tokens), ("batch", batch)):
        if number < 1:
            raise InputError(f"{what} is {number}, it must be at least 1")
    rows = tokens if phase == "prefill" else 1
    width = model.hidden // model.heads
    attention = model.layers * model.heads * batch

    def linear(name: str, k: int, n: int) -> Layer:
        precision = {"weight": weight, "group": group, "zero_point": zero_point}
        return gemm(name, batch * rows, k, n, count=model.layers, **precision)

    layers = (
        linear("query", model.hidden, model.hidden),
        linear("key", model.hidden, model.hidden),
        linear("value", model.hidden, model.hidden),
        gemm("attention scores", rows, width, tokens, weight="int8", count=attention),
        gemm("attention values", rows, tokens, width, weight="int8", count=attention),
        linear("attention output", model.hidden, model.hidden),
        linear("gate", model.hidden, model.feed_forward),
        linear("up", model.hidden, model.feed_forward),
        linear("down", model.feed_forward, model.hidden),
        # Only the last token of a sequence chooses the next one.
        gemm(
            "logits",
            batch,
            model.hidden,
            model.vocabulary,
            weight=model.head_weight or weight,
            group=None if model.head_weight else group,
            zero_point=zero_point and not model.head_weight,
            output="fp16",
        ),
    )
    skipped = (
        ("Embedding", 1),
        ("Normalization", 2 * model.layers + 1),
        ("RotaryEmbedding", 2 * model.layers),
        ("Softmax", model.layers),
        ("GatedActivation", model.layers),
        ("Add", 2 * model.layers),
    )
    return Network(model.name, layers, skipped, f"{model.source}; {phase}, {tokens} tokens, batch {batch}")
