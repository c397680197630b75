"""What leaves the house without customers' data: rules, pseudonyms and a leak checker."""
