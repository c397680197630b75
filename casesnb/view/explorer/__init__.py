"""The case explorer: a model that knows no widget, and the widgets linked to it."""
