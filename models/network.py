"""Networks as the accelerator sees them: a list of matrix products, each with the geometry of its operands.

A convolution is a matrix product whose activation matrix is read out of an image; a plain matrix product is the
convolution of a 1 x M image of K channels with a 1 x 1 kernel. One description therefore serves both:
C[M, N] = A[M, K] W[K, N] with M = batch * out_height * out_width, K = kernel_height * kernel_width * channels (in that
order, channels fastest) and N = filters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .errors import InputError


@dataclass(frozen=True)
class Layer:
    """The shape and the precision of one layer, without its values.

    Parameters
    ----------
    name : name of the layer in its network.
    channels, filters : input and output channels (K and N of a plain matrix product).
    batch, height, width : number of images and their size in pixels, without padding.
    kernel_height, kernel_width, stride, padding : convolution window in pixels; padding is symmetric and zero.
    weight : name of the element format of the weights, such as ``int4``.
    group : length of a quantization group along K; ``None`` is one scale per output channel.
    zero_point : whether weight groups carry a zero point.
    relu : whether a ReLU follows.
    output : element format of the result: ``int8``, ``fp16`` or ``fp32``.
    count : how many identical layers this one stands for.
    activation : name of the element format of the activations.

    Raises
    ------
    InputError : if a dimension is not positive or the kernel is larger than the padded image.
    """

    name: str
    channels: int
    filters: int
    batch: int = 1
    height: int = 1
    width: int = 1
    kernel_height: int = 1
    kernel_width: int = 1
    stride: int = 1
    padding: int = 0
    weight: str = "int4"
    group: int | None = None
    zero_point: bool = False
    relu: bool = False
    output: str = "int8"
    count: int = 1
    activation: str = "int8"

    def __post_init__(self) -> None:
        for field in ("channels", "filters", "batch", "height", "width", "kernel_height", "kernel_width", "stride"):
            if getattr(self, field) < 1:
                raise InputError(f"layer {self.name!r}: {field} is {getattr(self, field)}, it must be at least 1")
        if self.group is not None and self.group < 1:
            raise InputError(f"layer {self.name!r}: group is {self.group}, it must be at least 1")
        if self.padding < 0:
            raise InputError(f"layer {self.name!r}: padding is {self.padding}, it cannot be negative")
        if self.out_height < 1 or self.out_width < 1:
            raise InputError(
                f"layer {self.name!r}: a {self.kernel_height}x{self.kernel_width} kernel does not fit an image of "
                f"{self.height}x{self.width} pixels with padding {self.padding}"
            )

    @property
    def out_height(self) -> int:
        """Lines of results in an image."""
        return (self.height + 2 * self.padding - self.kernel_height) // self.stride + 1

    @property
    def out_width(self) -> int:
        """Results in a line."""
        return (self.width + 2 * self.padding - self.kernel_width) // self.stride + 1

    @property
    def m(self) -> int:
        """Rows of the matrix product: results of all images, without channels."""
        return self.batch * self.out_height * self.out_width

    @property
    def k(self) -> int:
        """Length of the reduction."""
        return self.kernel_height * self.kernel_width * self.channels

    @property
    def n(self) -> int:
        """Columns of the matrix product."""
        return self.filters

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one instance of this layer."""
        return self.m * self.k * self.n

    @property
    def is_product(self) -> bool:
        """Whether the layer is a plain matrix product, of whose activations each row is contiguous."""
        window = (self.kernel_height, self.kernel_width, self.stride, self.padding)
        return window == (1, 1, 1, 0)

    @property
    def shape(self) -> Layer:
        """The same layer without name and count: equal shapes take equal cycles."""
        return replace(self, name="", count=1)


def gemm(name: str, m: int, k: int, n: int, **precision: Any) -> Layer:
    """Return the layer of the plain matrix product C[m, n] = A[m, k] W[k, n].

    Raises
    ------
    InputError : if a size is not positive.
    """
    for size, value in (("M", m), ("K", k), ("N", n)):
        if value < 1:
            raise InputError(f"layer {name!r}: {size} is {value}, it must be at least 1")
    return Layer(name=name, channels=k, filters=n, width=m, **precision)


@dataclass(frozen=True)
class Network:
    """A named list of layers, in order, with what was left out of it.

    Parameters
    ----------
    name : short name.
    layers : the layers that the tile executes.
    skipped : operators of the source graph that the tile does not execute, with their number.
    source : where the shapes come from.
    """

    name: str
    layers: tuple[Layer, ...]
    skipped: tuple[tuple[str, int], ...] = ()
    source: str = ""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers, every instance counted."""
        return sum(layer.macs * layer.count for layer in self.layers)
