"""Pictures that are none of a lesion: the score that tells them, and what it is worth."""

from training.evaluate.out_of_distribution.fit import fit_out_of_distribution, novelties

__all__ = ["fit_out_of_distribution", "novelties"]
