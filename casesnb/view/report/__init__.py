"""A case as a page to hand over: its story, its report, and the check of a report."""
