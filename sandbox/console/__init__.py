"""The console: pages for people, rendered on the server. Thin: no rule lives here.

``app.py`` puts it together, ``pages.py`` is the table of pages, ``views/`` hold one view model per page,
``templates/`` the HTML. Every page asks the same door and gate as the API.
"""
