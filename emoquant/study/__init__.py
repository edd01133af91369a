"""Many trainings and evaluations from one command: what the data allow, in which order, what is done already."""
