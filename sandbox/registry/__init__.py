"""登记: products at both levels, and the lineage from provider to delivery. Pure."""
