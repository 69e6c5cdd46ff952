"""Anonymisation by search: privacy models over generalisations, the least loss, proven after the fact."""
