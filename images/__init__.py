"""How the container images are made; ``build.py`` is the program."""
