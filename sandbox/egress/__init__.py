"""The egress checker (data plane) and `gate`, the one exit (control plane)."""
