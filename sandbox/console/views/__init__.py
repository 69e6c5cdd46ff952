"""View models: what a page shows, made from what the door gives. One file per family of pages."""
