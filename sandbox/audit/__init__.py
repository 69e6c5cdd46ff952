"""The audit log: an RFC 6962 Merkle tree, signed checkpoints, an offline verifier. Pure; no database.

The store appends to the tree in the transaction of the change itself (``sandbox.store``).
"""

from sandbox.audit.bundle import Verification, verify_bundle, write_bundle
from sandbox.audit.checkpoint import Checkpoint, VerifierKey, make_checkpoint, parse_checkpoint
from sandbox.audit.signer import FileSigner, Signer
from sandbox.audit.tree import Algorithm

__all__ = [
    "Algorithm",
    "Checkpoint",
    "FileSigner",
    "Signer",
    "Verification",
    "VerifierKey",
    "make_checkpoint",
    "parse_checkpoint",
    "verify_bundle",
    "write_bundle",
]
