"""What the model before says of the pictures, so that training does not unlearn it (Li & Hoiem 2016, LwF).

The loss is T² times the cross-entropy between the two models' answers over the kinds that the model before knows,
both softened by T = 2 (Hinton 2015). What the model before says is worked out once, from embeddings that are at hand.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fgdemo.model.calibration import softmax

SOFTENED = 2.0
"""T, as in the paper."""


@dataclass(frozen=True)
class SoftLabels:
    """What a model says of N pictures.

    Attributes:
        probs: (N, K) float32 over the kinds it knows, at T; a row is all zeros where it is not to be imitated.
        columns: (K,) the class index of each of them in the network that is trained.
    """

    probs: np.ndarray
    columns: np.ndarray


def soft_labels(logits: np.ndarray, columns: np.ndarray, class_index: np.ndarray, checked: np.ndarray) -> SoftLabels:
    """Left out are pictures of which the model is wrong by the word of an expert.

    Args:
        logits: (N, K) calibrated log-odds.
        class_index: (N,) the labels, of which (N,) bool `checked` are certain.
    """
    wrong = checked & (columns[logits.argmax(1)] != class_index)
    probs = softmax(logits / SOFTENED) * ~wrong[:, None]
    return SoftLabels(probs.astype(np.float32), columns)


def retention_loss(logits: Tensor, probs: Tensor, columns: Tensor) -> Tensor:
    """Nats a picture, least where both models agree; the scale of a cross-entropy whatever T is.

    Args:
        logits: (B, C) of the network that is trained.
        probs: (B, K) as in `SoftLabels`, mixed as the pictures are.
    """
    answers = torch.log_softmax(logits.float()[:, columns] / SOFTENED, dim=1)
    return -(SOFTENED**2) * (probs * answers).sum(1).mean()
