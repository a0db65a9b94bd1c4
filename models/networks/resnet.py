"""ResNet-18 (arXiv 1512.03385, table 1) with the shapes of torchvision's ``resnet18`` for images of 224 x 224."""

from __future__ import annotations

from ..network import Layer, Network, gemm


def resnet18(batch: int = 1, weight: str = "int4", group: int | None = None, zero_point: bool = False) -> Network:
    """Return the 20 convolutions and the fully connected layer of ResNet-18.

    Batch normalisation is folded into the convolutions. The ReLU behind a residual sum is not part of a layer.

    Parameters
    ----------
    batch : number of images.
    weight, group, zero_point : format of the weights, as in `Layer`.
    """

    def convolution(
        name: str, channels: int, filters: int, size: int, kernel: int = 3, stride: int = 1, relu: bool = False
    ) -> Layer:
        window = (kernel, kernel, stride, kernel // 2)
        return Layer(name, channels, filters, batch, size, size, *window, weight, group, zero_point, relu)

    layers = [convolution("conv1", 3, 64, 224, kernel=7, stride=2, relu=True)]
    channels, size = 64, 56
    for stage, filters in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            # An image is halved where its channels double.
            name, stride = f"layer{stage}.{block}", filters // channels
            layers.append(convolution(f"{name}.conv1", channels, filters, size, stride=stride, relu=True))
            layers.append(convolution(f"{name}.conv2", filters, filters, size // stride))
            if stride > 1:
                layers.append(convolution(f"{name}.downsample", channels, filters, size, kernel=1, stride=stride))
            channels, size = filters, size // stride
    layers.append(gemm("fc", batch, 512, 1000, weight=weight, group=group, zero_point=zero_point, output="fp32"))
    skipped = (("MaxPool", 1), ("Add", 8), ("Relu", 8), ("GlobalAveragePool", 1))
    return Network("resnet18", tuple(layers), skipped, "arXiv 1512.03385, torchvision resnet18")
