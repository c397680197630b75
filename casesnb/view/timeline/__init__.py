"""The timeline of a case as a widget, and the script that draws it anywhere."""
