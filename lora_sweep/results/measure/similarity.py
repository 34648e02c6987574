"""Measures of drawn pictures. Pure functions of embeddings.

Rows are embeddings of unit length, or all zero where an embedder found nothing to embed (a picture
without a face); a zero row has a cosine of 0 with everything. Shapes: S samples, T training
pictures, P prompts, K samples per prompt, D features.
"""

from __future__ import annotations

from torch import Tensor


def subject(samples_SD: Tensor, training_TD: Tensor) -> float:
    """Mean cosine over all pairs of a sample and a training picture (DINO and CLIP-I of
    DreamBooth, arXiv 2208.12242, section 4.1).

    In [-1, 1], higher is better: samples look like the subject. Read it against what real held-out
    pictures of the subject reach, which is well below 1. It cannot see memorising: copies of
    training pictures score as high as new pictures of the subject, so look at `copying` beside it.
    It sees only what its embedder does: CLIP knows the kind of a thing better than which one it is.
    """
    return float((samples_SD @ training_TD.T).double().mean())


def prompt(samples_SD: Tensor, prompts_SD: Tensor) -> float:
    """Mean cosine of each sample with the text of its own prompt, row by row (CLIP-T).

    In [-1, 1], higher is better: samples show what was asked for; typical values of CLIP are 0.2 to
    0.35. The prompts have the class noun in place of the trigger, since an embedder's text side
    does not know the subject. So it cannot see the subject: the untrained base often scores best.
    """
    return float((samples_SD * prompts_SD).sum(dim=1).double().mean())


def diversity(samples_PKD: Tensor) -> float:
    """1 minus the mean cosine over the pairs of samples of one prompt, averaged over prompts.

    In [0, 2], higher is better: seeds give different pictures. At 0 all seeds give the same one. It
    cannot see whether the variety is wanted: noise is varied, too.
    Raises ValueError with fewer than two samples a prompt.
    """
    count = samples_PKD.shape[1]
    if count < 2:
        raise ValueError(f"diversity needs at least 2 samples of each prompt, got {count}")
    cosines_PKK = (samples_PKD @ samples_PKD.transpose(1, 2)).double()
    same = cosines_PKK.diagonal(dim1=1, dim2=2).sum()
    pairs = samples_PKD.shape[0] * count * (count - 1)
    return float(1 - (cosines_PKK.sum() - same) / pairs)


def copying(samples_SD: Tensor, training_TD: Tensor) -> float:
    """Highest cosine of any sample with any training picture.

    In [-1, 1], lower is better: at 1 a sample is a training picture as far as the embedder can
    tell. Two real pictures of one subject may be close as well, so compare it with the closest pair
    of real ones. It cannot see a copied part of a picture, and as a maximum it grows with the
    number of samples: compare trials with equally many.
    """
    return float((samples_SD @ training_TD.T).max())
