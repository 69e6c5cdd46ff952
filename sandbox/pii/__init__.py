"""Identifiers of persons and enterprises: how text is folded, what is looked for, how it is found."""
