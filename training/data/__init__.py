"""From files on disk to tensors: cases, splits, cache, augmentation."""
