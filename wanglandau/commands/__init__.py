"""The commands of the console program ``wanglandau``, a function each: options in, a report out."""
