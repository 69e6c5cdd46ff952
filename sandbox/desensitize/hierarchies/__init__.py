"""Generalisation hierarchies: what a value is part of, level by level. Standard library only.

A hierarchy is rows ``(value, level 1, level 2, …)``, from fine to coarse, as ARX writes them in its CSV
files.
"""

from sandbox.desensitize.hierarchies.codes import ADMIN_DIGITS, icd_chapter, icd_level
from sandbox.desensitize.hierarchies.files import read_hierarchy

__all__ = ["ADMIN_DIGITS", "icd_chapter", "icd_level", "read_hierarchy"]
