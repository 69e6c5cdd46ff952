"""Alembic's migrations; ``Store.upgrade`` runs them."""
